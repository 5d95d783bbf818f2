Feature: Some banks want to hear from the customer first
  3-D Secure: the bank asks on a page of its own. Until it has an answer, nothing is sold.

  Background:
    Given the shop sells a "lamp" for 80.00 and has 4 of it
    And Ines has 1 of it in her cart

  Scenario: Ines tells her bank that it is her
    When she orders with a card that asks her bank
    And her bank asks and she approves
    Then her order is confirmed
    And the payment provider has captured 86.40
    And she gets these mails, and no other
      | the bank's question |
      | confirmation        |

  Scenario: The whole flow is one trace, the bank's answer included
    When she orders with a card that asks her bank
    And her bank asks and she approves
    Then her order is confirmed
    And her checkout is one whole trace
    And each of these happened because of the one before
      | the order was placed       |
      | the stock was reserved     |
      | the bank was asked         |
      | the customer was asked     |
    And each of these happened because of the one before
      | the stock was reserved     |
      | the payment was authorized |
      | the order was confirmed    |

  Scenario: Ines says that it is not her
    When she orders with a card that asks her bank
    And her bank asks and she refuses
    Then her order is cancelled, because the payment was declined
    And 4 of it are left, and none is reserved
    And the payment provider has captured nothing

  Scenario: The bank's answer arrives twice
    When she orders with a card whose bank tells everything twice
    And her bank asks and she approves
    Then her order is confirmed
    And the payment provider has captured 86.40

  Scenario: Ines cancels instead of answering
    When she orders with a card that asks her bank
    And her bank asks
    And she cancels at once
    Then her order is cancelled, because she asked for it
    And the payment provider has captured nothing, and holds nothing
    And she gets these mails, and no other
      | the bank's question |
      | cancellation        |
