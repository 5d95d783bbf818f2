Feature: What the shop sells changes
  Staff change names and prices; nobody's change undoes another's, and the past stays known.

  Background:
    Given the shop sells these in one department
      | name   | category | price | count | size |
      | Shirt  | Clothes  | 20.00 | 3     | S    |
      | Shirt  | Clothes  | 20.00 | 3     | L    |

  Scenario: A product in two sizes is one thing to choose from
    When somebody looks at the sizes of "Shirt S"
    Then they see these sizes
      | S |
      | L |

  Scenario: A new price is seen by everybody, and the old one is not forgotten
    When staff price "Shirt S" at 25.00
    Then everybody sees "Shirt S" at 25.00
    And its prices were, the latest first
      | 25.00 |
      | 20.00 |

  Scenario: Two of the staff change the same product
    Given two of the staff look at "Shirt S"
    When the first prices it at 22.00
    And the second prices it at 24.00
    Then the second is told that it has changed meanwhile
    And everybody sees "Shirt S" at 22.00

  Scenario: Staff who do not say which version they mean change nothing
    When staff price "Shirt S" at 25.00 without having looked
    Then they are told to look first
    And everybody sees "Shirt S" at 20.00

  Scenario: A withdrawn product is gone from the shelf and cannot be ordered
    When staff withdraw "Shirt L"
    Then nobody finds "Shirt L" any more
    And nobody can order "Shirt L"

  Scenario: A customer is no member of staff
    When a customer tries to price "Shirt S" at 1.00
    Then that is forbidden
    And everybody sees "Shirt S" at 20.00
