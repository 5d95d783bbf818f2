@faults
Feature: What went astray is in the trace
  The flow of a checkout shows what the post did to it, and that it took effect once all the same.

  Background:
    Given the shop sells a "mirror" for 25.00 and has 5 of it
    And Ana has 1 of it in her cart

  Scenario: News that is handed over twice takes effect once
    Given the news that anything happened is always handed over twice
    When she orders with a good card
    Then that really happened
    And her order is confirmed
    And every event took effect once at each of its consumers

  Scenario: News that cannot be told at first
    Given the news that the order was confirmed is refused three times
    When she orders with a good card
    Then that really happened
    And her order is confirmed
    And nothing in it failed but this
      | order | publish order.confirmed |

  Scenario: News that was read comes again, because nobody noted that it was
    Given the news that the order was confirmed is read, and nobody notes that it was
    When she orders with a good card
    Then that really happened
    And her order is confirmed
    And every event took effect once at each of its consumers
