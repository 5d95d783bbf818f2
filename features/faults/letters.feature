@faults
Feature: Letters that nobody can read
  What cannot be handled is kept aside with its reason, holds up nobody, and can be sent back.

  Background:
    Given the shop sells a "carpet" for 90.00 and has 5 of it
    And Ana has 2 of it in her cart

  Scenario Outline: Nonsense in the letter box of <reader> holds up nobody
    Given somebody has put nonsense into the letter box of <reader>
    When she orders with a good card
    Then her order is confirmed
    And it was paid once, and in full
    And the nonsense is kept aside by <reader>, with its reason
    And it is kept aside again when it is sent back
    And the shop comes to rest, and its books agree

    Examples:
      | reader       |
      | order        |
      | inventory    |
      | payment      |
      | notification |

  Scenario: News that arrived garbled is set right and sent back
    Given the news that the order was confirmed arrives garbled
    When she orders with a good card
    And every reader of it has kept it aside, with its reason
    And somebody sets it right and sends it back
    Then that really happened
    And her order is confirmed
    And it was paid once, and in full
    And 3 of it are left, and none is reserved
    And she gets one mail, a confirmation
    And the shop comes to rest, and its books agree
