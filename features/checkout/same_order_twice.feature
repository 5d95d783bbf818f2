Feature: The same order sent twice is one order
  A double click, an impatient browser or a lost answer must not buy twice.

  Background:
    Given the shop sells a "teapot" for 12.00 and has 10 of it
    And Emil has 1 of it in his cart

  Scenario: Emil clicks twice at the same moment
    When he orders 5 times at once with the same key and a good card
    Then all answers are the same order
    And his order is confirmed
    And 9 of it are left, and none is reserved
    And the payment provider has captured 18.95
    And he gets one mail, a confirmation

  Scenario: Emil sends it again after it was confirmed
    When he orders with a good card
    And his order is confirmed
    And he sends the same order again
    Then all answers are the same order
    And the payment provider has captured 18.95

  Scenario: The same key cannot buy something else
    When he orders with a good card
    Then the same key for another order is refused
