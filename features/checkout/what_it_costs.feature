Feature: What an order costs is known before and stays so
  Goods, shipping below 50.00, and eight percent of tax; what was shown is what is charged.

  Background:
    Given the shop sells these in one department
      | name  | category | price | count |
      | Spoon | Kitchen  | 4.00  | 30    |
      | Oven  | Kitchen  | 80.00 | 5     |
    And Lea looks around

  Scenario Outline: <count> of "<name>" cost <total>
    When she asks what <count> of "<name>" cost
    Then it is <goods> for the goods, <shipping> for shipping and <tax> of tax, <total> in all
    And if she orders it with a good card, she is charged exactly that

    Examples:
      | name  | count | goods  | shipping | tax   | total  |
      | Spoon | 2     | 8.00   | 5.99     | 0.64  | 14.63  |
      | Spoon | 13    | 52.00  | 0.00     | 4.16  | 56.16  |
      | Oven  | 2     | 160.00 | 0.00     | 12.80 | 172.80 |

  Scenario: The price rises between seeing and ordering
    Given she has asked what 2 of "Spoon" cost
    When staff price "Spoon" at 5.00
    And she orders at the price she saw
    Then she is told that the price has changed, and to how much
    And nothing was ordered

  Scenario: What was ordered keeps its price
    Given she has ordered 2 of "Spoon" with a good card
    When staff price "Spoon" at 5.00
    Then her order still says 4.00 a piece

  Scenario: Nobody orders nothing, or less than nothing
    When she tries to order these
      | Spoon | 0    |
      | Spoon | -1   |
      | Spoon | 1000 |
    Then each of them is refused
    And nothing was ordered
