Feature: People are written to as they want to be
  Each fact once, in their language, and never to an address that refuses it for good.

  Background:
    Given the shop sells these in one department
      | name   | category | price | count |
      | Candle | Home     | 6.00  | 20    |
    And Olga is a customer

  Scenario: A customer who reads Spanish
    Given she wants her mails in Spanish
    When she orders 1 of "Candle"
    Then she is written to once, in Spanish

  Scenario: A customer whose address is in another script
    Given Zoë is a customer with an address at "müller.example"
    When she orders 1 of "Candle"
    Then she is written to once, in English

  Scenario: A customer who does not want to be told what she asked for herself
    Given she wants no mail about what she cancels herself
    When she orders 1 of "Candle" and cancels at once
    Then no mail is sent to her about it

  Scenario: An address that refuses everything for good
    Given her address has refused our mails for good
    When she orders 1 of "Candle"
    Then no mail is sent to her about it
    And staff see why not

  Scenario: Staff write to her again once her address is well
    Given her address has refused our mails for good
    And staff say that her address is well again
    When she orders 1 of "Candle"
    Then she is written to once, in English

  Scenario: Staff send a mail again that she deleted
    Given she has ordered 1 of "Candle"
    When staff send her the mail again
    Then it arrives a second time, as the same mail

  Scenario: She can read what was written to her, and nobody else can
    Given she has ordered 1 of "Candle"
    Then she finds the confirmation in her account
    And somebody else does not
