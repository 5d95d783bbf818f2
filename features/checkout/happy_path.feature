Feature: A paid order is delivered
  What a shopper pays for is taken from the shelf, paid once and confirmed by mail, once.

  Background:
    Given the shop sells a "mug" for 2.50 and has 10 of it
    And Ana has 2 of it in her cart

  Scenario: Ana buys two mugs
    When she orders with a good card
    Then her order is confirmed
    And 8 of it are left, and none is reserved
    And the payment provider has captured 11.39
    And she gets one mail, a confirmation
    And her cart is empty

  Scenario: The flow of a paid order
    When she orders with a good card
    Then her order is confirmed
    And her checkout is one whole trace
    And each of these happened because of the one before
      | the order was placed        |
      | the stock was reserved      |
      | the payment was authorized  |
      | the order was confirmed     |
      | the payment was captured    |
    And each of these happened because of the one before
      | the order was confirmed     |
      | the stock was committed     |
    And each of these happened because of the one before
      | the order was confirmed     |
      | the customer was told       |
    And each of these happened because of the one before
      | the order was confirmed     |
      | the cart was emptied        |
    And every event took effect once at each of its consumers
    And nothing in the trace failed, and it holds no card data
