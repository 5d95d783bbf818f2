Feature: A whole file of products
  Staff send a file; good rows are sold, and each bad row is told with its reason.

  Scenario: One row of three is bad
    When staff send a file with 2 good rows and 1 without a price
    Then in the end 2 rows are sold and 1 is not
    And the fault of row 3 is told

  Scenario: The same file sent twice is taken once
    When staff send a file with 2 good rows and 1 without a price
    And they send the same file again with the same key
    Then both times it is the same import

  Scenario: A customer's file is not taken
    When a customer sends a file of products
    Then that is forbidden
