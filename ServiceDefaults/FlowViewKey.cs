namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// The key that FlowView expects from senders and from the gateway, if <c>FlowView:ApiKey</c> is set: in the header that Aspire's dashboard
/// uses also.
/// </summary>
public static class FlowViewKey
{
    public const string Header = "x-otlp-api-key";

    public static string? Of(IConfiguration configuration) => configuration["FlowView:ApiKey"] is { Length: > 0 } key ? key : null;
}
