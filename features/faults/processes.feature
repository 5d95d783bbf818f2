@dying_processes
Feature: Processes that die
  Any process may be killed at any moment. It is started again, and what it had begun is done once.

  Background:
    Given the shop sells a "chair" for 45.00 and has 5 of it
    And Ana has 2 of it in her cart

  Scenario Outline: The <process> dies <moment> that <news>
    Given the <process> dies <moment> that <news>
    When she orders with a good card
    Then that really happened
    And her order is confirmed
    And it was paid once, and in full
    And 3 of it are left, and none is reserved
    And she gets one mail, a confirmation
    And the shop comes to rest, and its books agree

    Examples:
      | process             | moment                                    | news                       |
      | order-worker        | about to tell                             | an order was placed        |
      | order-worker        | having just told                          | an order was placed        |
      | inventory-worker    | being handed the news                     | an order was placed        |
      | inventory-worker    | done with the news, before it can say so, | an order was placed        |
      | inventory-worker    | having just told                          | the stock was reserved     |
      | payment-worker      | being handed the news                     | the stock was reserved     |
      | payment-worker      | done with the news, before it can say so, | the stock was reserved     |
      | payment-worker      | about to tell                             | the payment was authorized |
      | order-worker        | being handed the news                     | the payment was authorized |
      | order-worker        | done with the news, before it can say so, | the payment was authorized |
      | order-worker        | having just told                          | an order was confirmed     |
      | payment-worker      | having just told                          | the payment was captured   |
      | inventory-worker    | done with the news, before it can say so, | an order was confirmed     |
      | notification-worker | being handed the news                     | an order was confirmed     |
      | notification-worker | done with the news, before it can say so, | an order was confirmed     |
      | cart-worker         | done with the news, before it can say so, | an order was confirmed     |

  Scenario Outline: The <process> dies as she comes to the till
    Given the <process> has just died
    When she orders with a good card
    Then that really happened
    And her order is confirmed
    And it was paid once, and in full
    And 3 of it are left, and none is reserved
    And she gets one mail, a confirmation
    And the shop comes to rest, and its books agree

    Examples:
      | process             |
      | auth-web            |
      | auth-worker         |
      | cart-web            |
      | catalog-web         |
      | catalog-worker      |
      | inventory-web       |
      | notification-web    |
      | order-web           |
      | payment-web         |
      | redis               |
      | mailbox             |
      | emulator            |

  Scenario: The payments stand still while the order waits
    Given the payment-worker stands still
    When she orders with a good card
    And the stock is reserved for her
    And the payment-worker goes on
    Then her order is confirmed
    And it was paid once, and in full
    And 3 of it are left, and none is reserved
    And she gets one mail, a confirmation
    And the shop comes to rest, and its books agree
