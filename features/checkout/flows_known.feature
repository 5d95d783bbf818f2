Feature: Every checkout goes a way that we know
  The way is drawn in features/flows. Who changes it sees what changed, and says so.

  Background:
    Given the shop sells a "bowl" for 14.00 and has 2 of it

  Scenario: A paid order
    Given Ana has 1 of it in her cart
    When she orders with a good card
    Then it went the way we know as "paid order"

  Scenario: A refused card
    Given Ana has 1 of it in her cart
    When she orders with a card that is declined
    Then it went the way we know as "declined card"

  Scenario: Nothing left on the shelf
    Given Ana has 3 of it in her cart
    When she orders with a good card
    Then it went the way we know as "out of stock"

  Scenario: A bank that asks
    Given Ana has 1 of it in her cart
    When she orders with a card that asks her bank
    And her bank asks and she approves
    Then it went the way we know as "bank asks"

  Scenario: A change of mind while the bank waits
    Given Ana has 1 of it in her cart
    When she orders with a card that asks her bank
    And her bank asks
    And she cancels at once
    Then it went the way we know as "cancellation"
