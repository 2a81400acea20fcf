using System.Collections.Frozen;

namespace WebRtcIms.WicWeb.PageSpans;

/// <summary>The values of <c>error.type</c> in a page's span: codes of the problems that stop a call or a registration.</summary>
internal static class PageErrors
{
    /// <summary>The value for every other text, as OpenTelemetry's conventions have it.</summary>
    public const string Other = "_OTHER";

    public static readonly FrozenSet<string> Codes = FrozenSet.Create<string>(
        "not_signed_in", "session_expired", "antiforgery", "rate_limited", "gateway_unavailable", "wwsf_unavailable",
        "waf_unavailable", "waf_refused", "ims_unavailable", "ims_overloaded", "registration_failed", "registration_forbidden",
        "no_free_identity", "too_many_guests", "leases_unavailable", "no_subscription", "passkey_missing", "not_authorised",
        "call_forbidden", "nobody_there", "not_online", "no_answer", "busy", "declined", "cancelled", "no_common_format", "call_failed",
        "address_invalid", "negotiating", "not_registered", "demo_line_unavailable", "turn_not_tried", "turn_unreachable", "turn_401",
        "turn_403", "turn_486", "turn_508", "turn_refused", "no_media_path", "transport_not_offered", "credentials_too_long",
        "microphone_blocked", "microphone_missing", "microphone_busy", "camera_blocked", "camera_missing", "camera_busy",
        "media_failed", "insecure_context", "connection_interrupted", "connection_lost",
        "connection_lost_there", "call_gone", "call_yourself", "negotiation_failed", "no_network", "set_up_timeout", "webrtc_missing",
        "transfer_busy", "transfer_failed", "transfer_refused", "transfer_unreachable", "part_is_down", "stage_unavailable",
        "invalid_request", "not_found",
        "request_too_large", "internal_error", "ep_cscf_unavailable", "token_expired", "too_busy", "unexpected");
}
