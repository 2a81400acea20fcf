using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Presence;

/// <summary>
/// A page that is notified of who is online, from its SUBSCRIBE (RFC 6665 §4.4.1). It belongs to the page's connection and ends with it. A
/// page that connects again subscribes again.
/// </summary>
internal sealed class OnlineSubscription(SipRequest subscribe, Flow flow, EpCscfSettings settings, string replica)
{
    private readonly string _localTag = SipRequest.NewTag();
    private readonly string _target = NameAddress.Parse(subscribe.Headers.Values(HeaderName.Contact).First())!.UriText;
    private uint _cseq;

    public Flow Flow { get; } = flow;

    /// <summary>The name of the subscriber, which is not listed for itself.</summary>
    public string Subscriber { get; } = flow.Registration!.Binding.Id.Subscriber;

    public DateTimeOffset ExpiresAt { get; private set; }

    /// <summary>The list that the page was sent last.</summary>
    public OnlineList? Sent { get; set; }

    public bool IsConnected => Flow.IsRegistered && Flow.Registration?.Binding.Id.Subscriber == Subscriber;

    /// <summary>Whether a request is in this dialogue, and not older than the one before.</summary>
    public bool Renews(SipRequest request) => request.To.Tag == _localTag && request.CallId == subscribe.CallId
        && request.From.Tag == subscribe.From.Tag && request.CSeq.Number > subscribe.CSeq.Number;

    public SipResponse Accept(SipRequest request, int seconds, DateTimeOffset now)
    {
        ExpiresAt = now.AddSeconds(seconds);
        var response = request.Answer(200, "OK", _localTag);
        response.Headers.Add(HeaderName.Contact, Contact);
        response.Headers.Add(HeaderName.Expires, seconds.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    /// <summary>The next NOTIFY (RFC 6665 §4.2.2).</summary>
    public SipRequest Notify(ReadOnlyMemory<byte> list, DateTimeOffset now)
    {
        var left = (int)Math.Ceiling((ExpiresAt - now).TotalSeconds);
        var from = $"{subscribe.To with { Parameters = SipParameters.None }};tag={_localTag}";
        var cseq = new CSeq(++_cseq, Method.Notify);
        var headers = new SipHeaders();
        headers.Add(
            HeaderName.Via, $"SIP/2.0/WSS {settings.Host};branch={Via.MagicCookie}{replica}{RandomNumberGenerator.GetHexString(24, true)}");
        headers.Add(HeaderName.MaxForwards, "70");
        headers.Add(HeaderName.From, from);
        headers.Add(HeaderName.To, subscribe.Headers.First(HeaderName.From)!);
        headers.Add(HeaderName.CallId, subscribe.CallId);
        headers.Add(HeaderName.CSeq, cseq.ToString());
        headers.Add(HeaderName.Contact, Contact);
        headers.Add(HeaderName.Event, subscribe.Headers.First(HeaderName.Event)!);
        headers.Add(
            HeaderName.SubscriptionState, left > 0
                ? string.Create(CultureInfo.InvariantCulture, $"active;expires={left}") : "terminated;reason=timeout");
        headers.Add(HeaderName.ContentType, OnlineSubscriptions.ContentType);
        return new()
        {
            Method = Method.Notify,
            Uri = _target,
            Headers = headers,
            From = NameAddress.Parse(from)!,
            To = subscribe.From,
            CallId = subscribe.CallId,
            CSeq = cseq,
            Body = list,
        };
    }

    private string Contact => $"<sip:{settings.Host};transport=ws>";
}
