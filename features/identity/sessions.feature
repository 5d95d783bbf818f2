Feature: A session lives by refresh tokens that are used once
  A stolen refresh token gives itself away when it is used a second time.

  Background:
    Given Nora has an account and is signed in

  Scenario: Nora is welcomed, once
    Then she gets one mail, a welcome

  Scenario: Nora's session goes on
    When her session is refreshed
    Then she is still Nora

  Scenario: Her browser asks twice, because the first answer was lost
    When her session is refreshed twice with the same token at once
    Then both answers are the same tokens

  Scenario: A token that was used long ago is used again
    When her session is refreshed 2 times
    And somebody uses her first refresh token
    Then that is refused
    And her own refresh token is refused too

  Scenario: Signing out ends the session
    When she signs out
    Then her own refresh token is refused too
