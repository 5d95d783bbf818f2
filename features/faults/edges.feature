@faults
Feature: Requests that go astray
  Shoppers, services and the payment provider ask one another over lines that break before the deed or after it.

  Background:
    Given the shop sells a "lamp" for 45.00 and has 5 of it
    And Ana has 2 of it in her cart

  Scenario Outline: She buys though <request> <trouble>
    Given <request> <trouble>
    When she orders with a good card
    Then that really happened
    And her order is confirmed
    And it was paid once, and in full
    And 3 of it are left, and none is reserved
    And she gets one mail, a confirmation
    And the shop comes to rest, and its books agree

    Examples:
      | request                 | trouble                       |
      | her order               | arrives, and is not answered  |
      | her order               | is lost on its way            |
      | her order               | is not taken, twice           |
      | the question for prices | arrives, and is not answered  |
      | the question for prices | is not taken, twice           |
      | the question for prices | is answered too late          |

  Scenario Outline: The provider's word that she paid <trouble>
    Given the provider's word <trouble>
    When she orders with a card that is slow
    Then that really happened
    And her order is confirmed
    And it was paid once, and in full
    And the shop comes to rest, and its books agree

    Examples:
      | trouble                      |
      | arrives, and is not answered |
      | is not taken, twice          |

  Scenario: She cancels, and hears nothing
    Given her cancellation arrives, and is not answered
    When she orders with a card that asks her bank
    And her bank asks
    And she cancels at once
    Then that really happened
    And her order is cancelled, because she asked for it
    And the payment provider has captured nothing, and holds nothing
    And 5 of it are left, and none is reserved
    And the shop comes to rest, and its books agree
