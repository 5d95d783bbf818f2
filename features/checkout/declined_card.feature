Feature: A declined payment leaves nothing behind
  The bank says no: the goods go back on the shelf, and nobody is charged.

  Background:
    Given the shop sells a "chair" for 49.00 and has 3 of it
    And Cleo has 1 of it in her cart

  Scenario Outline: Cleo's card is refused
    When she orders with a card that is <refused>
    Then her order is cancelled, because the payment was declined
    And 3 of it are left, and none is reserved
    And the payment provider has captured nothing
    And she gets one mail, a cancellation

    Examples:
      | refused               |
      | declined              |
      | expired               |
      | short of money        |

  Scenario: The stock is released because the payment was declined
    When she orders with a card that is declined
    Then her order is cancelled, because the payment was declined
    And her checkout is one whole trace
    And each of these happened because of the one before
      | the order was placed        |
      | the stock was reserved      |
      | the payment was declined    |
      | the order was cancelled     |
      | the stock was released      |
