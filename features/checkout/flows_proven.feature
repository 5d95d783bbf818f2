Feature: What is said of a checkout is proven
  Also that something did not happen: only when everything that happened is known.

  Background:
    Given the shop sells a "bowl" for 14.00 and has 2 of it

  Scenario: A paid order takes everything once
    Given Ana has 1 of it in her cart
    When she orders with a good card
    Then these happened as many times as it says
      | the order was placed       | 1 |
      | the payment was authorized | 1 |
      | the payment was captured   | 1 |
      | the stock was committed    | 1 |
    And none of these ever happened, though they do in other checkouts
      | the order was cancelled  |
      | the payment was voided   |
      | the payment was declined |
      | the stock was released   |
      | the bank was asked       |
    And nothing happened in it without a cause
    And nobody wrote a card number down

  Scenario: A paid order is quick, and all of it hangs together
    Given Ana has 1 of it in her cart
    When she orders with a good card
    Then within 10 seconds after "the order was placed", "the order was confirmed"
    And all of these are a part of it
      | the stock was committed  |
      | the payment was captured |
      | the customer was told    |
      | the cart was emptied     |
    And the news that "the order was placed" says
      | kind of news | order.placed |

  Scenario: A refused card is never charged
    Given Ana has 1 of it in her cart
    When she orders with a card that is declined
    Then each of these happened
      | the provider was asked for the money |
      | the payment was declined             |
    And none of these ever happened, though they do in other checkouts
      | the payment was captured |
      | the order was confirmed  |
      | the stock was committed  |
      | the cart was emptied     |

  Scenario: What is not there is never paid for
    Given Ana has 3 of it in her cart
    When she orders with a good card
    Then none of these ever happened, though they do in other checkouts
      | the stock was reserved               |
      | the provider was asked for the money |
      | the payment was authorized           |

  Scenario: A provider that stumbles is asked again, and charges once
    Given Ana has 1 of it in her cart
    When she orders while the payment provider stumbles once
    Then her order is confirmed
    And these happened as many times as it says
      | the payment was authorized | 1 |
      | the payment was captured   | 1 |
    And nothing in it failed but this
      | payment          | POST              |
      | payment-provider | POST /v1/payments |
    And every event took effect once at each of its consumers
    And it went the way we know as "paid order"
