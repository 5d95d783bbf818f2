Feature: What was bought may be brought back
  The customer asks, staff take the goods in, then the money goes back and the goods on the shelf.

  Background:
    Given the shop sells a "vase" for 20.00 and has 6 of it
    And Rosa has 3 of it in her cart
    And she orders with a good card
    And her order is confirmed

  Scenario: Rosa brings one of three back
    When she wants to return 1 of it
    And staff take the goods in
    Then 21.60 are paid back to her
    And 4 of it are left, and none is reserved
    And she gets these mails, and no other
      | confirmation |
      | refund       |

  Scenario: Everything comes back: the goods and their tax
    When she wants to return 3 of it
    And staff take the goods in
    Then 64.80 are paid back to her
    And 6 of it are left, and none is reserved

  Scenario Outline: What went back as a gesture does not go back a second time
    When she wants to return 3 of it
    And staff give her <gesture> back as a gesture
    And staff take the goods in
    Then <paid> of 64.80 are paid back for it
    And 6 of it are left, and none is reserved

    Examples:
      | gesture | paid  |
      | 10.00   | 54.80 |
      | 64.80   | 0.00  |

  Scenario: Nobody brings back more than they bought
    When she wants to return 2 of it
    Then she cannot return 2 more of it

  Scenario: Until the goods are there, no money moves
    When she wants to return 1 of it
    Then nothing is paid back yet
