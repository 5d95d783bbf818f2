@faults
Feature: News that goes astray
  The post loses, doubles, delays and mixes up what the services tell each other. A checkout comes
  right all the same: paid once, delivered once, told once.

  Background:
    Given the shop sells a "lamp" for 30.00 and has 5 of it
    And Ana has 2 of it in her cart

  Scenario Outline: The news that <news> <fate>
    Given the news that <news> <fate>
    When she orders with a good card
    Then that really happened
    And her order is confirmed
    And it was paid once, and in full
    And 3 of it are left, and none is reserved
    And she gets one mail, a confirmation
    And the shop comes to rest, and its books agree

    Examples:
      | news                       | fate                                     |
      | anything happened          | is always told twice                     |
      | anything happened          | is always handed over twice              |
      | the order was placed        | gets lost                                |
      | the stock was reserved     | gets lost                                |
      | the payment was authorized | gets lost                                |
      | the payment was captured   | gets lost                                |
      | the order was placed        | is refused three times                   |
      | the order was confirmed     | is refused three times                   |
      | the order was confirmed     | is refused twice among others            |
      | the order was placed        | is told, and its teller does not hear so |
      | the order was confirmed     | is told, and its teller does not hear so |
      | the stock was reserved     | gets lost on its way to a reader         |
      | the order was confirmed     | gets lost on its way to a reader         |
      | the payment was authorized | is read, and nobody notes that it was    |
      | the order was confirmed     | is read, and nobody notes that it was    |
      | the stock was reserved     | is late by two seconds                   |

  Scenario: The news of an order comes after the news that it was cancelled
    Given the news that the order was placed comes after the news that the order was cancelled
    When she orders with a good card
    And she cancels at once
    Then her order is cancelled, because she asked for it
    And that really happened
    And the payment provider knows nothing of it
    And the shop comes to rest, and its books agree
    And 5 of it are left, and none is reserved
