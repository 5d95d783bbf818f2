Feature: What is not there is not sold
  An order that cannot be delivered whole is cancelled before anybody is asked for money.

  Background:
    Given the shop sells a "lamp" for 19.99 and has 1 of it
    And Ben has 2 of it in his cart

  Scenario: Ben wants more lamps than there are
    When he orders with a good card
    Then his order is cancelled, because it is out of stock
    And 1 of it is left, and none is reserved
    And the payment provider knows nothing of it
    And he gets one mail, a cancellation

  Scenario: Payment is never asked without stock
    When he orders with a good card
    Then his order is cancelled, because it is out of stock
    And his checkout is one whole trace
    And payment took no part in it, though it does in others
    And each of these happened because of the one before
      | the order was placed        |
      | the stock was refused       |
      | the order was cancelled     |
      | the customer was told       |
