@cognito_shop
Feature: People may sign in with Amazon Cognito
  The shop believes the access tokens of one user pool, for its own apps.

  Background:
    Given a shop that trusts a Cognito user pool

  Scenario: Whoever signed in there has a cart here
    When Marta comes with an access token of the pool
    Then the cart service knows her

  Scenario Outline: Anything else of the pool is refused
    When Marta comes with <a token> of the pool
    Then she is refused

    Examples:
      | a token                             |
      | an id token                         |
      | an access token for another app     |
      | an access token that has expired    |
      | an access token of another pool     |
      | an access token by an unknown key   |
