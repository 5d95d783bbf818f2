Feature: People find what they look for
  Everybody may look around, whether or not they buy.

  Background:
    Given the shop sells these in one department
      | name           | category | price | count |
      | Red teapot     | Kitchen  | 24.00 | 3     |
      | Blue teapot    | Kitchen  | 36.00 | 3     |
      | Kettle         | Kitchen  | 48.00 | 3     |
      | Garden chair   | Outdoor  | 60.00 | 3     |

  Scenario: Looking for one word
    When somebody looks for "teapot"
    Then they find these
      | Red teapot  |
      | Blue teapot |

  Scenario: Looking for a word that is spelt wrong
    When somebody looks for "teapto"
    Then they find these
      | Red teapot  |
      | Blue teapot |

  Scenario: Looking for what nobody sells
    When somebody looks for "submarine"
    Then they find nothing

  Scenario: Looking through one category, the dearest first
    When somebody looks through "Kitchen", the dearest first
    Then they find these, in this order
      | Kettle      |
      | Blue teapot |
      | Red teapot  |

  Scenario: Looking for what is neither too cheap nor too dear
    When somebody looks for what costs from 30.00 to 50.00
    Then they find these
      | Blue teapot |
      | Kettle      |

  Scenario: The shop says how many there are of each kind
    When somebody asks how many there are of each kind
    Then they are told
      | Kitchen | 3 |
      | Outdoor | 1 |

  Scenario: Turning the pages shows every product once
    When somebody turns page after page, 2 products on each
    Then they saw every product once
