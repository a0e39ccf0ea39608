"""Names the unit test that shows each row of the wire table which is decided without a socket. Holds no test itself."""

from __future__ import annotations

# Row of the wire table -> test function, in one of the files `tests/unit/test_*.py`.
ROWS: dict[int, str] = {
    1: "test_row_1_tools_are_an_optional_list_of_objects",
    2: "test_row_2_tool_choice_takes_three_words_or_an_object",
    3: "test_row_3_stop_is_text_or_a_list_of_texts",
    4: "test_row_4_unknown_fields_survive_the_check",
    5: "test_row_5_stream_is_false_unless_asked_for",
    6: "test_row_6_extension_fields_are_read",
    7: "test_row_7_four_roles_are_accepted",
    8: "test_row_8_content_may_be_null_or_absent_beside_calls",
    9: "test_row_9_content_and_calls_may_stand_together",
    10: "test_row_10_an_assistant_turn_with_neither_is_refused_and_both_fields_are_named",
    11: "test_row_11_a_tool_message_needs_a_call_id_that_is_not_empty",
    12: "test_row_12_a_tool_message_needs_content",
    13: "test_row_13_user_and_system_need_content",
    14: "test_row_14_calls_belong_on_assistant_messages_only",
    15: "test_row_15_a_call_id_belongs_on_tool_messages_only",
    16: "test_row_16_a_name_belongs_on_tool_messages_only",
    17: "test_row_17_a_tool_loop_keeps_its_order_ids_and_nulls",
    18: "test_row_18_a_broken_rule_is_a_422_that_names_the_field",
    25: "test_row_25_tool_choice_is_auto_unless_given",
    26: "test_row_26_limits_and_penalties_are_sent_if_set",
    27: "test_row_27_repetition_penalty_is_renamed",
    28: "test_row_28_a_stream_asks_for_its_usage_and_nothing_else_does",
    29: "test_row_29_extension_fields_are_never_sent_on",
    30: "test_row_30_messages_are_sent_as_they_came",
    37: "test_row_37_an_image_of_any_mode_becomes_rgb_and_keeps_its_grey",
    46: "test_row_46_every_transport_error_is_a_lost_connection",
    47: "test_row_47_an_overflow_tells_both_counts_and_what_to_do",
    48: "test_row_48_a_lost_connection_reads_the_same_everywhere_and_the_rest_tells_nothing",
}
