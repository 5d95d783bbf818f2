Feature: The shelf is counted, and every piece is accounted for
  What is there, what is promised, and why it changed.

  Background:
    Given the shop sells these in one department
      | name   | category | price | count |
      | Basket | Home     | 15.00 | 10    |

  Scenario: A delivery that is booked twice counts once
    When a delivery of 5 "Basket" is booked, and its note is sent twice
    Then there are 15 of "Basket"

  Scenario: Something breaks
    When staff count 2 of "Basket" less, because of damage
    Then there are 8 of "Basket"

  Scenario: Nobody counts away what is promised
    Given 4 of "Basket" are promised to somebody whose bank still asks
    When staff count 7 of "Basket" less, because of damage
    Then they are told that only 6 can go
    And there are 10 of "Basket", of which 4 are promised

  Scenario: Every change is written down with its reason
    Given somebody has bought 3 of "Basket"
    And staff count 1 of "Basket" less, because of damage
    Then these changes of "Basket" are written down, the latest first
      | damage  | -1 |
      | commit  | -3 |
      | reserve | 0  |
      | receipt | 10 |

  Scenario: Customers do not count the shelf
    When a customer counts 1 of "Basket" less
    Then that is forbidden
    And there are 10 of "Basket"

  Scenario: Products that run out are shown so
    When staff count 10 of "Basket" less, because of damage
    Then everybody sees that "Basket" is sold out

  Scenario: What was sold out is shown again when a delivery has come
    Given staff count 10 of "Basket" less, because of damage
    And everybody sees that "Basket" is sold out
    When a delivery of 50 "Basket" is booked, and its note is sent twice
    Then everybody sees that "Basket" is there
