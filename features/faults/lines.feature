@faults
Feature: Lines that break
  The cache, the trace store and the payment provider are other people's machines.

  Background:
    Given the shop sells a "clock" for 60.00 and has 5 of it
    And Ana has 2 of it in her cart

  Scenario Outline: She buys though <what> <trouble>
    Given <what> <trouble>
    When she orders with a good card
    Then that really happened
    And her order is confirmed
    And it was paid once, and in full
    And 3 of it are left, and none is reserved
    And she gets one mail, a confirmation
    And her cart is empty
    And the shop comes to rest, and its books agree

    Examples:
      | what                 | trouble               |
      | the cache            | cannot be reached     |
      | the cache            | answers 300 ms late   |
      | the trace store      | cannot be reached     |
      | the payment provider | answers 1500 ms late  |

  Scenario: The payment provider tells by webhook before it answers
    Given the payment provider answers 1500 ms late
    When she orders with a card that asks her bank
    And her bank asks
    And she cancels at once
    Then her order is cancelled, because she asked for it
    And it went the way we know as "cancellation"

  Scenario Outline: The payment provider <trouble> for a while
    Given the payment provider <trouble>
    When she orders with a good card
    And that has happened and is mended
    Then her order is confirmed
    And it was paid once, and in full
    And 3 of it are left, and none is reserved
    And she gets one mail, a confirmation
    And the shop comes to rest, and its books agree

    Examples:
      | trouble                         |
      | hears, and its answers get lost |
      | hangs up on everybody           |

  Scenario: What the trace store did not get is not proven
    Given the trace store cannot be reached
    When she orders with a good card
    Then her order is confirmed
    And that really happened
    And nobody can say that they saw all of it
    And the shop comes to rest, and its books agree

  Scenario: Every connection to the database is cut, twice
    When she orders while every connection to the database is cut
    Then her order is confirmed
    And it was paid once, and in full
    And 3 of it are left, and none is reserved
    And she gets one mail, a confirmation
    And the shop comes to rest, and its books agree

  Scenario: Nobody answers the bank in time
    When she orders with a card that asks her bank
    And nobody pays in time
    Then her order is cancelled, because it took too long
    And the payment provider has captured nothing, and holds nothing
    And 5 of it are left, and none is reserved
    And the shop comes to rest, and its books agree

  Scenario: She answers her bank when it is too late
    When she orders with a card that asks her bank
    And nobody pays in time
    And her order is cancelled, because it took too long
    And she answers her bank after all
    Then the shop comes to rest, and its books agree
    And no money of hers is kept
    And 5 of it are left, and none is reserved
