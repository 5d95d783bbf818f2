Feature: A customer may change their mind
  Cancelling is a question: the shop first makes sure that no money is held.

  Background:
    Given the shop sells a "kettle" for 30.00 and has 5 of it
    And Dora has 1 of it in her cart

  Scenario: Dora cancels while her slow bank is still thinking
    When she orders with a card that is slow
    And she cancels at once
    Then her order is cancelled, because she asked for it
    And 5 of it are left, and none is reserved
    And the payment provider holds nothing, whether it was asked before she cancelled or not
    And she gets one mail, a cancellation

  Scenario: The hold is let go before the stock is
    When she orders with a card that asks her bank
    And her bank asks
    And she cancels at once
    Then her order is cancelled, because she asked for it
    And the payment provider has captured nothing, and holds nothing
    And her checkout is one whole trace
    And each of these happened because of the one before
      | the cancellation was asked for |
      | the payment was voided         |
      | the order was cancelled        |
      | the stock was released         |

  Scenario: A confirmed order can no longer be cancelled
    When she orders with a good card
    And her order is confirmed
    Then it can no longer be cancelled
    And the payment provider has captured 38.39
