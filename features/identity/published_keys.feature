@signing_shop
Feature: In production nobody but auth can make a token
  Tokens are signed with a key of auth's own; the other services fetch the public half.

  Background:
    Given a shop that trusts published keys
    And Nora is signed in there

  Scenario: A signed token opens a service that has no secret
    Then the cart service knows her

  Scenario: The next key takes over and nobody is turned away
    When the signing key is replaced while she keeps asking for her cart
    Then none of her questions was refused
    And two keys are published

  Scenario: A key that was stolen is refused
    When the signing key is replaced because it was stolen
    Then her token is refused in the end
    And whoever signs in afterwards is known

  Scenario: The shared secret of development opens nothing
    Then a token signed with the development secret is refused
