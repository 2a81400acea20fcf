using System.Text.Json;
using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Transactions;

namespace WebRtcIms.EpCscf.Presence;

/// <summary>
/// SUBSCRIBE of the domain for the event package <c>webrtcims-online</c> (RFC 6665): each NOTIFY has the same list as the directory. The
/// package of RFC 3856 is about one person; a list of people would need a list URI and two kinds of XML (RFC 4662, RFC 3863).
/// A registered connection has one subscription, so there are no more than connections. They need no limits of their own.
/// </summary>
internal sealed class OnlineSubscriptions(
    OnlineUsers users, DirectoryLimit limit, TransactionTable transactions, Flows flows, Replicas replicas, EpCscfSettings settings,
    TimeProvider time)
{
    public const string Package = "webrtcims-online";
    public const string ContentType = "application/json";

    /// <summary>Longer lists are cut: a page shows no more people, and calls others by name.</summary>
    public const int MaxListed = 500;

    private const int MinExpires = 60;
    private const int MaxExpires = 3600;
    private const int DefaultExpires = 600;

    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly ConcurrentDictionary<Flow, OnlineSubscription> _all = new();

    public bool IsEmpty => _all.IsEmpty;

    /// <summary>Handles a SUBSCRIBE. The subscription is null if there is nothing to notify of.</summary>
    public (SipResponse Response, OnlineSubscription? Subscription) Handle(Flow flow, SipRequest request)
    {
        (SipResponse, OnlineSubscription?) Refuse(int statusCode, string reason, string? name = null, string value = "")
        {
            var response = request.Answer(statusCode, reason, SipRequest.NewTag());
            if (name is not null) response.Headers.Add(name, value);
            return (response, null);
        }

        if (!flow.IsRegistered) return Refuse(403, "Forbidden: not registered");
        var registration = flow.Registration!;
        if (IdentityPolicy.Originating(request, registration.Impus) is null) return Refuse(403, "Forbidden: From is not your identity");
        if (request.Headers.First(HeaderName.Event)?.Split(';')[0].Trim() != Package)
            return Refuse(489, "Bad Event", HeaderName.AllowEvents, Package);
        if (request.Headers.Has(HeaderName.Accept) && !request.Headers.HasToken(HeaderName.Accept, ContentType))
            return Refuse(406, "Not Acceptable", HeaderName.Accept, ContentType);
        var known = _all.GetValueOrDefault(flow);
        if (request.IsInDialog && known?.Renews(request) != true) return Refuse(481, "Subscription Does Not Exist");
        if (!request.IsInDialog && request.Headers.Values(HeaderName.Contact).Select(NameAddress.Parse).FirstOrDefault()?.Uri is null)
            return Refuse(400, "Bad Request: send a Contact with a SIP URI");
        if (!limit.TryAcquire(registration.Binding.Id.Subscriber))
            return Refuse(503, "Service Unavailable: too many requests", HeaderName.RetryAfter, "2");

        var seconds = Expires(request);
        if (seconds is > 0 and < MinExpires)
            return Refuse(423, "Interval Too Brief", HeaderName.MinExpires, MinExpires.ToString(CultureInfo.InvariantCulture));
        var subscription = request.IsInDialog ? known! : new OnlineSubscription(request, flow, settings, replicas.Self);
        _all[flow] = subscription;
        // A page that renews wants the whole state (RFC 6665 §4.2.1.2).
        subscription.Sent = null;
        return (subscription.Accept(request, seconds, time.GetUtcNow()), subscription);
    }

    /// <summary>Sends the present list to one page.</summary>
    public async Task NotifyAsync(OnlineSubscription subscription) => Notify(subscription, await users.ListAsync());

    /// <summary>Sends a list to every page that has another one, and forgets subscriptions that have ended.</summary>
    /// <returns>The octets that were sent.</returns>
    public long NotifyAll(OnlineList online) => _all.Values.Sum(subscription => (long)Notify(subscription, online));

    private int Notify(OnlineSubscription subscription, OnlineList online)
    {
        lock (subscription)
        {
            var now = time.GetUtcNow();
            var (flow, isConnected) = (subscription.Flow, subscription.IsConnected && flows.Has(subscription.Flow));
            var isLive = isConnected && subscription.ExpiresAt > now;
            if (!isLive) End(subscription);
            // A page that reads slowly gets the next list instead.
            if (!isConnected || (isLive && (subscription.Sent == online || flow.IsCongested))) return 0;
            var before = subscription.Sent;
            subscription.Sent = online;
            // The list of this page has not changed: the other list differs in the page itself, or behind its end.
            var listed = Listed(online, subscription);
            if (isLive && before is not null && listed.AsSpan().SequenceEqual(Listed(before, subscription))) return 0;
            var body = JsonSerializer.SerializeToUtf8Bytes(new { online = listed }, SnakeCase);
            Send(subscription, subscription.Notify(body, now));
            return body.Length;
        }
    }

    private static OnlineUser[] Listed(OnlineList online, OnlineSubscription subscription) =>
        [.. online.Users.Where(entry => entry.Name != subscription.Subscriber).Select(entry => entry.User).Take(MaxListed)];

    // Without a span: it would be a trace for each page whenever a person comes or goes.
    private void Send(OnlineSubscription subscription, SipRequest notify)
    {
        var scope = new RequestScope(time);
        var transaction = new NonInviteClientTransaction(
            notify, new Subscriber(subscription.Flow, subscription.Flow.RemoteId, () => End(subscription)), scope);
        transactions.Add(transaction);
        lock (scope.Gate) transaction.Start();
    }

    private void End(OnlineSubscription subscription) => _all.TryRemove(new(subscription.Flow, subscription));

    // RFC 6665 §3.1.1. A value that is not a number is read as the longest.
    private static int Expires(SipRequest request)
    {
        if (request.Headers.First(HeaderName.Expires) is not { } text) return DefaultExpires;
        return uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? (int)Math.Min(seconds, MaxExpires) : MaxExpires;
    }

    /// <summary>A page that refuses a NOTIFY, or does not answer, has no subscription any more (RFC 6665 §4.2.2).</summary>
    private sealed class Subscriber(Flow flow, string remoteId, Action end) : IClientTransactionUser
    {
        public string RemoteId => remoteId;

        public bool Send(SipRequest request) => flow.Send(request);

        public void OnResponse(SipResponse response)
        {
            if (response is { IsProvisional: false, IsSuccess: false }) end();
        }

        public void OnTimeout() => end();

        public void OnUnreachable() => end();
    }
}
