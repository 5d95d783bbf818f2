@strict_shop
Feature: Nobody tries for ever
  Whoever guesses, or buys like a machine, is asked to wait, and told for how long.

  Background:
    Given a shop that counts how often people try

  Scenario: The eleventh order within a minute
    When Ida orders 11 times in a row
    Then the first 10 orders are taken
    And the last one is refused, and she is told how long to wait
    And somebody else can still order

  Scenario: Guessing a password
    When somebody guesses Ida's password until they are stopped
    Then they are told how long to wait
    And even the right password does not help them for now
