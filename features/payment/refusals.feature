Feature: Cards that do not pay
  Whatever the bank says, nothing is delivered that was not paid, and nothing is paid twice.

  Background:
    Given the shop sells a "radio" for 70.00 and has 4 of it
    And Ana has 1 of it in her cart

  Scenario Outline: A card that is <kind>
    When she orders with a card that is <kind>
    Then her order is cancelled, because the payment was declined
    And the payment provider has captured nothing
    And 4 of it are left, and none is reserved
    And she gets one mail, a cancellation

    Examples:
      | kind       |
      | lost       |
      | stolen     |
      | fraudulent |

  Scenario Outline: A provider that <trouble>
    When she orders with a card whose provider <trouble>
    Then her order is confirmed
    And the payment provider has captured 75.60
    And 3 of it are left, and none is reserved
    And she gets one mail, a confirmation

    Examples:
      | trouble                            |
      | charges and does not say so        |
      | does not answer the first time     |
      | says everything twice              |
      | says everything in the wrong order |
      | never says anything by itself      |

  Scenario: The bank refuses after it has asked
    When she orders with a card that asks her bank, which then refuses
    And her bank asks and she approves
    Then her order is cancelled, because the payment was declined
    And 4 of it are left, and none is reserved

  Scenario: The shop's own staff give some of the money back
    Given she orders with a good card
    And her order is confirmed
    When staff give her 10.00 back as a gesture
    Then her order says that 10.00 came back
    And staff cannot give back more than she paid
