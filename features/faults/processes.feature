@dying_processes
Feature: Processes that die
  Any process may be killed at any moment. It is started again, and what it had begun is done once.

  Background:
    Given the shop sells a "chair" for 45.00 and has 5 of it
    And Ana has 2 of it in her cart

  Scenario Outline: Who tells and who hears that <news> dies, and she gets what she bought
    Given whoever tells that <news> dies <telling>
    And whoever hears that <news> dies <hearing>
    When she orders with a good card
    Then that really happened
    And her order is confirmed
    And it was paid once, and in full
    And 3 of it are left, and none is reserved
    And her cart is empty
    And she gets one mail, a confirmation
    And the shop comes to rest, and its books agree

    Examples:
      | news                       | telling             | hearing                            |
      | the order was placed        | about to tell it    | being handed it                    |
      | the order was placed        | having just told it | done with it, before it can say so |
      | the stock was reserved     | about to tell it    | being handed it                    |
      | the stock was reserved     | having just told it | done with it, before it can say so |
      | the payment was authorized | about to tell it    | being handed it                    |
      | the payment was authorized | having just told it | done with it, before it can say so |
      | the order was confirmed     | about to tell it    | being handed it                    |
      | the order was confirmed     | having just told it | done with it, before it can say so |
      | the payment was captured   | about to tell it    | being handed it                    |
      | the payment was captured   | having just told it | done with it, before it can say so |
      | the stock was committed    | about to tell it    | being handed it                    |
      | the stock was committed    | having just told it | done with it, before it can say so |

  Scenario Outline: Who tells and who hears that <news> dies, and she gets out of it
    Given whoever tells that <news> dies <telling>
    And whoever hears that <news> dies <hearing>
    When she orders with a card that asks her bank
    And her bank asks
    And she cancels at once
    Then that really happened
    And her order is cancelled, because she asked for it
    And 5 of it are left, and none is reserved
    And the payment provider has captured nothing, and holds nothing
    And she gets these mails, and no other
      | the bank's question |
      | cancellation        |
    And the shop comes to rest, and its books agree

    Examples:
      | news                           | telling             | hearing                            |
      | the bank was asked             | about to tell it    | being handed it                    |
      | the bank was asked             | having just told it | done with it, before it can say so |
      | the customer was asked         | about to tell it    | being handed it                    |
      | the customer was asked         | having just told it | done with it, before it can say so |
      | the cancellation was asked for | about to tell it    | being handed it                    |
      | the cancellation was asked for | having just told it | done with it, before it can say so |
      | the payment was voided         | about to tell it    | being handed it                    |
      | the payment was voided         | having just told it | done with it, before it can say so |
      | the order was cancelled         | about to tell it    | being handed it                    |
      | the order was cancelled         | having just told it | done with it, before it can say so |
      | the stock was released         | about to tell it    | being handed it                    |
      | the stock was released         | having just told it | done with it, before it can say so |

  Scenario Outline: Who tells and who hears that <news> dies, and nothing is sold
    Given whoever tells that <news> dies <telling>
    And whoever hears that <news> dies <hearing>
    When she orders with a card that is declined
    Then that really happened
    And her order is cancelled, because the payment was declined
    And 5 of it are left, and none is reserved
    And the payment provider has captured nothing, and holds nothing
    And she gets one mail, a cancellation
    And the shop comes to rest, and its books agree

    Examples:
      | news                     | telling             | hearing                            |
      | the payment was declined | about to tell it    | being handed it                    |
      | the payment was declined | having just told it | done with it, before it can say so |

  Scenario Outline: Who tells and who hears that <news> dies, and nobody is asked for money
    Given Ben has 6 of it in his cart
    And whoever tells that <news> dies <telling>
    And whoever hears that <news> dies <hearing>
    When he orders with a good card
    Then that really happened
    And his order is cancelled, because it is out of stock
    And 5 of it are left, and none is reserved
    And the payment provider knows nothing of it
    And he gets one mail, a cancellation
    And the shop comes to rest, and its books agree

    Examples:
      | news                  | telling             | hearing                            |
      | the stock was refused | about to tell it    | being handed it                    |
      | the stock was refused | having just told it | done with it, before it can say so |

  Scenario Outline: Who tells and who hears that <news> dies, and what came back is paid back
    Given whoever tells that <news> dies <telling>
    And whoever hears that <news> dies <hearing>
    And she orders with a good card
    And her order is confirmed
    When she wants to return 1 of it
    And staff take the goods in
    Then that really happened
    And 48.60 are paid back to her
    And 4 of it are left, and none is reserved
    And she gets these mails, and no other
      | confirmation |
      | refund       |
    And the shop comes to rest, and its books agree

    Examples:
      | news                     | telling             | hearing                            |
      | the goods came back      | about to tell it    | being handed it                    |
      | the goods came back      | having just told it | done with it, before it can say so |
      | the goods were restocked | about to tell it    | being handed it                    |
      | the goods were restocked | having just told it | done with it, before it can say so |
      | the payment was refunded | about to tell it    | being handed it                    |
      | the payment was refunded | having just told it | done with it, before it can say so |
      | the return was settled   | about to tell it    | being handed it                    |
      | the return was settled   | having just told it | done with it, before it can say so |

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
