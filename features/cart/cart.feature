Feature: A cart keeps what people put into it
  Whoever they are, however often they click, and whatever happens to prices meanwhile.

  Background:
    Given the shop sells these in one department
      | name  | category | price | count |
      | Plate | Kitchen  | 8.00  | 50    |
      | Fork  | Kitchen  | 3.00  | 2     |
    And Mia looks around

  Scenario: Putting things in, and taking one out again
    When she puts 2 of "Plate" into her cart
    And she puts 1 of "Fork" into her cart
    And she takes "Plate" out
    Then her cart holds
      | Fork | 1 |

  Scenario: A click that is sent twice counts once
    When she clicks once on one more "Plate", and it is sent twice
    Then her cart holds
      | Plate | 1 |

  Scenario: Nobody buys more than a hundred of one product
    When she puts 100 of "Plate" into her cart
    And she wants one more "Plate"
    Then she is told that there is no room for more
    And her cart holds
      | Plate | 100 |

  Scenario: Two windows of one person
    Given she has two windows open on her cart
    When she puts 2 of "Plate" into her cart in the one
    And she puts 5 of "Plate" into her cart in the other
    Then the other window is told to look again
    And her cart holds
      | Plate | 2 |

  Scenario: What a guest has put in is still there after signing in
    Given she puts 2 of "Plate" into her cart
    When she signs in to her account, which has 1 of "Plate" and 1 of "Fork" in its cart
    Then her cart holds
      | Plate | 3 |
      | Fork  | 1 |

  Scenario: The price changes while she thinks
    Given she puts 2 of "Plate" into her cart
    And she has seen what it costs
    When staff price "Plate" at 9.00
    Then her cart says that the price of "Plate" has changed from 8.00 to 9.00
    And once she has agreed, it says so no more

  Scenario: There is less than she wants
    When she puts 3 of "Fork" into her cart
    Then her cart says that of "Fork" only 2 are there

  Scenario: Nobody sees the cart of somebody else
    Given she puts 2 of "Plate" into her cart
    Then somebody else's cart is empty
    And who does not say who they are sees no cart
