Feature: People follow their orders
  Their own, all of them, and as they happen; nobody else's.

  Background:
    Given the shop sells these in one department
      | name | category | price | count |
      | Book | Media    | 10.00 | 20    |
    And Kim looks around

  Scenario: The list of one's orders, and some of them
    Given she has ordered 1 of "Book" with a good card
    And she has ordered 1 of "Book" with a card that is declined
    Then she sees 2 orders of hers, the latest first
    And 1 of them is confirmed
    And 1 of them is cancelled

  Scenario: An order is told while it happens
    When she orders 1 of "Book" with a good card and keeps watching
    Then she sees it go from pending to confirmed
    And the last she is told is that everything is settled

  Scenario: Who lost the line is told only what is new
    Given she has ordered 1 of "Book" with a good card
    When she watches it from the beginning, and again from what she saw last
    Then the second time there is nothing new

  Scenario: An order is nobody else's business
    Given she has ordered 1 of "Book" with a good card
    Then somebody else finds no such order, cannot cancel it and cannot follow it
    And staff see it

  Scenario: Of ten who want the last one, one gets it
    Given there is just one "Book" left
    When 10 people order it at once with a good card
    Then one of them gets it, and the others are told that it is sold out
