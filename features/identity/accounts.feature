Feature: An account belongs to one person
  Opened once, entered by who knows its password, and left everywhere at once if need be.

  Background:
    Given Nora has an account and is signed in

  Scenario: An address has one account
    When somebody opens another account with her address
    Then they are told that there is one

  Scenario: A password that everybody tries first
    When somebody opens an account with the password "password"
    Then they are told to choose another one

  Scenario: Who does not know her password stays outside, and is not told what was wrong
    When somebody signs in with her address and another password
    And somebody signs in with an address that nobody has
    Then both are told the same

  Scenario: She sees where she is signed in, and ends one of it
    Given she is signed in at a second place
    When she ends the session at the second place
    Then she sees one session, and it is this one
    And the second place has to sign in again

  Scenario: A new password signs her out everywhere else
    Given she is signed in at a second place
    When she changes her password
    Then the second place has to sign in again
    And only the new password opens her account

  Scenario: Changing the password takes the present one
    When somebody at her screen tries to change her password without knowing it
    Then that is refused, and her password is as before
