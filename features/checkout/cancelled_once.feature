Feature: A cancellation is one decision
  Until payment has let the money go nothing else is given back, and it is decided once.

  Background:
    Given the shop sells a "samovar" for 70.00 and has 3 of it
    And Dora has 1 of it in her cart

  Scenario: Nothing is given back before the money is let go
    When she orders with a card that asks her bank
    And her bank asks
    And she cancels at once
    Then her order is cancelled, because she asked for it
    And these happened as many times as it says
      | the cancellation was asked for | 1 |
      | the payment was voided         | 1 |
      | the order was cancelled        | 1 |
      | the stock was released         | 1 |
    And 3 of it are left, and none is reserved
