Feature: Money follows the goods
  Somebody who only says that they bring something back has not brought it.

  Background:
    Given the shop sells a "vase" for 20.00 and has 6 of it
    And Rosa has 3 of it in her cart
    And she orders with a good card
    And her order is confirmed

  Scenario: Of two returns only the one that has arrived is paid back
    When she wants to return 1 of it
    And she wants to return 2 of it
    And staff take the goods in
    Then 43.20 are paid back to her, for that return alone
    And 5 of it are left, and none is reserved
