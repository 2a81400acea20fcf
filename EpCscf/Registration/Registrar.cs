using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// REGISTER (RFC 3261 §10.3) with outbound flows (RFC 5626 §6) and Bearer tokens (RFC 8898). A valid token for an identity gives a binding
/// to the connection that the request came over. The binding expires with the token, or earlier.
/// </summary>
internal sealed partial class Registrar(
    IBindingStore store, BindingNames names, CoreModel core, TokenAuthorization authorization, RevokedSessions revoked, Replicas replicas,
    EpCscfSettings settings, TimeProvider time, ILogger<Registrar> logger)
{
    /// <summary>The user part of Service-Route: a new request, outside of a dialog.</summary>
    public const string OriginatingUser = "orig";

    private const int MinExpires = 60;
    private const int MaxExpires = 3600;
    private const int DefaultExpires = 600;
    private const int MaxBindings = 10;
    private const int MaxContactLength = 512;

    /// <summary>The extensions that this server knows (RFC 3327, RFC 5626).</summary>
    public static readonly string[] Extensions = ["path", "outbound"];

    private readonly ConcurrentDictionary<string, LeaseHolder> _holders = new();
    private readonly SemaphoreSlim[] _gates = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1))];

    /// <summary>A binding does not lead to its connection any more. Requests and connections that depend on it must end.</summary>
    public event Func<Binding, BindingLoss, Task>? BindingLost;

    /// <summary>A binding was added or removed, so its subscriber may have gone online or offline.</summary>
    public event Action<BindingId>? OnlineChanged;

    /// <summary>Handles a REGISTER.</summary>
    /// <param name="flowId">The connection that it came over.</param>
    /// <param name="present">What the connection is registered for.</param>
    /// <param name="request">The REGISTER.</param>
    /// <param name="tryBind">Gives the connection its new registration. False if it may not have one.</param>
    /// <param name="respond">Sends a response of a request that was authorized.</param>
    /// <returns>
    /// The final response, and the binding whose connection has been replaced: call <see cref="OnReplacedAsync"/> after the response.
    /// </returns>
    public async Task<(SipResponse Response, Binding? Replaced)> RegisterAsync(
        string flowId, FlowRegistration? present, SipRequest request, Func<FlowRegistration, bool> tryBind,
        Action<SipResponse> respond)
    {
        if (request.SipUri?.Host != settings.HomeDomain) return Refuse(request, 404, "Not Found: this is the registrar of another domain");
        if ((request.Unsupported(HeaderName.ProxyRequire, []) ?? request.Unsupported(HeaderName.Require, Extensions)) is { } unsupported)
            return (unsupported, null);
        if (await authorization.CheckAsync(request) is not { } token) return (authorization.Challenge(request), null);

        var identity = request.To.Uri?.AddressOfRecord ?? "";
        var impus = token.Impus.Select(impu => SipUri.Parse(impu)?.AddressOfRecord).OfType<string>().ToList();
        if (!impus.Contains(identity) || request.From.Uri?.AddressOfRecord != identity)
            return Refuse(request, 403, "Forbidden: the token is not for this identity");
        var decision = core.Register(token, identity, out var subscriber);
        if (decision != CoreDecision.Allowed)
        {
            LogRefused(decision);
            return Refuse(request, 403, $"Forbidden: {Sentence(decision)}");
        }
        if (present is not null && present.Subscriber != subscriber)
            return Refuse(request, 403, "Forbidden: this connection is registered for another identity");

        if (subscriber!.Leased is not null && !IsHolder(token))
            return Refuse(request, 403, "Forbidden: the identity belongs to another guest now");

        List<string> registered = [.. impus.Where(impu => subscriber!.Impus.Contains(impu))];
        // One after the other: of two connections of one page, the last one has the binding both here and in the store.
        var gate = _gates[(uint)subscriber!.Impi.GetHashCode(StringComparison.Ordinal) % _gates.Length];
        await gate.WaitAsync();
        try
        {
            var result = await UpdateAsync(flowId, present, request, new(token, subscriber, registered, tryBind));
            // Before another connection of the page replaces this one and closes it.
            respond(result.Response);
            return result;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>The page has registered over another connection, and has its response.</summary>
    public Task OnReplacedAsync(Binding replaced) => NotifyAsync(replaced, BindingLoss.Replaced);

    /// <summary>Removes the binding of a lost connection, unless the page has registered over another one meanwhile.</summary>
    public async Task RemoveLostAsync(Binding binding)
    {
        if (!await store.RemoveAsync(binding)) return;
        OnlineChanged?.Invoke(binding.Id);
        await NotifyAsync(binding, BindingLoss.Disconnected);
    }

    /// <summary>Ends all registrations of a session at the WWSF, and refuses its tokens from now on.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="until">When its last token has expired, if the WWSF says so.</param>
    public async Task EndSessionAsync(string sessionId, DateTimeOffset? until = null)
    {
        await revoked.AddAsync(sessionId, until);
        await EndBindingsAsync(sessionId);
    }

    /// <summary>The same for a revocation that every replica has got, so that none needs to pass it on.</summary>
    public Task EndRevokedSessionAsync(string sessionId, DateTimeOffset until)
    {
        revoked.Add(sessionId, until);
        return EndBindingsAsync(sessionId);
    }

    private async Task EndBindingsAsync(string sessionId)
    {
        foreach (var binding in await store.FindSessionAsync(sessionId)) await RemoveAsync(binding, BindingLoss.SignedOut);
    }

    /// <summary>Ends one registration. The page may register again with a token that is not revoked.</summary>
    public Task EndAsync(Binding binding) => RemoveAsync(binding, BindingLoss.SignedOut);

    /// <summary>
    /// Ends the registrations of former sessions of an identity. The store may have lost their bindings. Does nothing if a newer session
    /// has the identity meanwhile.
    /// </summary>
    public async Task EndFormerGuestsAsync(FlowRegistration registration, IEnumerable<FlowRegistration> connected)
    {
        // The list comes before the check, because a newer session becomes the holder before it is connected.
        var former = connected.Where(other => other.Subscriber.Impi == registration.Subscriber.Impi
            && other.Binding.SessionId != registration.Binding.SessionId).ToList();
        if (_holders.GetValueOrDefault(registration.Subscriber.Impi)?.SessionId != registration.Token.SessionId) return;
        foreach (var other in former) await EndAsync(other.Binding);
    }

    // A WWSF or a Redis that has lost its leases may give an identity to another session. The session of the newest token has it. There is
    // one entry for each identity of a pool.
    private bool IsHolder(RegistrationToken token)
    {
        var claim = new LeaseHolder(token.SessionId, token.IssuedAt);
        var holder = _holders.AddOrUpdate(token.Impi, claim, (_, before) => before.IssuedAt > claim.IssuedAt ? before : claim);
        return holder.SessionId == claim.SessionId;
    }

    private async Task<(SipResponse Response, Binding? Replaced)> UpdateAsync(
        string flowId, FlowRegistration? present, SipRequest request, Authorized authorized)
    {
        var (token, subscriber, impus, tryBind) = authorized;
        (SipResponse, Binding?) Accept(IEnumerable<Binding> bindings) => (Accepted(request, subscriber, impus, bindings), null);

        var contacts = request.Headers.Values(HeaderName.Contact).ToList();
        var current = await store.FindAsync(names.Subscriber(subscriber.Impi));
        var ended = current.Where(binding => subscriber.Leased is not null && binding.SessionId != token.SessionId).ToList();
        foreach (var binding in ended) await EndAsync(binding);
        current = [.. current.Except(ended)];
        if (contacts is []) return Accept(current);
        if (contacts is ["*"])
        {
            if (request.Headers.First(HeaderName.Expires) != "0") return Refuse(request, 400, "Bad Request: Contact * needs Expires: 0");
            foreach (var binding in current) await RemoveAsync(binding, BindingLoss.Removed);
            return Accept([]);
        }

        if (contacts is not [var only] || NameAddress.Parse(only) is not { Uri: not null } contact
            || contact.UriText.Length > MaxContactLength)
            return Refuse(request, 400, "Bad Request: send one Contact with a SIP URI");
        // RFC 5626 §6: a reg-id without an instance means nothing.
        var instance = contact.Parameters["+sip.instance"];
        var regId = instance is null ? null : contact.Parameters["reg-id"];
        if (instance?.Length > MaxContactLength || regId?.Length > 10)
            return Refuse(request, 400, "Bad Request: +sip.instance or reg-id is too long");

        var id = names.Binding(subscriber.Impi, contact.UriText, instance, regId);
        var known = current.FirstOrDefault(binding => binding.Id == id);
        if (known is not null && known.CallId == request.CallId && request.CSeq.Number <= known.CSeq)
            return Refuse(request, 500, "Server Internal Error: CSeq is not higher than before");
        var seconds = Expires(request, contact);
        if (seconds == 0)
        {
            if (known is not null) await RemoveAsync(known, BindingLoss.Removed);
            return Accept(current.Where(binding => binding.Id != id));
        }

        if (seconds < MinExpires)
            return Refuse(request, 423, "Interval Too Brief", (HeaderName.MinExpires, MinExpires.ToString(CultureInfo.InvariantCulture)));
        if (known is null && current.Count >= MaxBindings)
            return Refuse(request, 503, "Service Unavailable: too many registrations", (HeaderName.RetryAfter, "10"));

        // A connection has one binding: another Contact over it replaces the former one.
        var former = present?.Binding.Id is { } formerId && formerId != id ? present.Binding : null;
        var others = current.Where(binding => binding.Id != id && binding.Id != former?.Id);
        var tokenEnd = DateTimeOffset.FromUnixTimeSeconds(token.ExpiresAt);
        var end = time.GetUtcNow().AddSeconds(Math.Min(seconds, MaxExpires));
        var updated = new Binding(
            id, contact.UriText, instance, regId, request.CallId, request.CSeq.Number, end < tokenEnd
                ? end : tokenEnd, flowId, replicas.Self, token.SessionId);
        // The connection comes first: another replica that replaces the binding at this moment finds what it has to close.
        if (!tryBind(new(updated, subscriber, impus, token)))
            return Refuse(request, 503, "Service Unavailable: too many connections", (HeaderName.RetryAfter, "5"));
        if (former is not null) await store.RemoveAsync(former);
        var replaced = await store.SaveAsync(updated);
        if (known is null) OnlineChanged?.Invoke(id);
        var response = Accepted(request, subscriber, impus, others.Append(updated));
        // RFC 5626 §6: only if the client named a flow; other clients do not understand it.
        if (regId is not null && request.Headers.HasToken(HeaderName.Supported, "outbound"))
            response.Headers.Add(HeaderName.Require, "outbound");
        return (response, replaced?.FlowId == flowId ? null : replaced);
    }

    private async Task RemoveAsync(Binding binding, BindingLoss loss)
    {
        await store.RemoveAsync(binding);
        OnlineChanged?.Invoke(binding.Id);
        await NotifyAsync(binding, loss);
    }

    private Task NotifyAsync(Binding binding, BindingLoss loss) => BindingLost?.Invoke(binding, loss) ?? Task.CompletedTask;

    private SipResponse Accepted(SipRequest request, Subscriber subscriber, List<string> impus, IEnumerable<Binding> bindings)
    {
        var response = request.Answer(200, "OK", SipRequest.NewTag());
        var now = time.GetUtcNow();
        foreach (var binding in bindings) response.Headers.Add(HeaderName.Contact, Describe(binding, now));
        response.Headers.Add(HeaderName.PAssociatedUri, string.Join(", ", impus.Select(impu => NameOf(subscriber, impu))));
        response.Headers.Add(HeaderName.ServiceRoute, $"<sip:{OriginatingUser}@{settings.Host};transport=ws;lr>");
        response.Headers.Add(HeaderName.Supported, "path, outbound");
        return response;
    }

    private static string Describe(Binding binding, DateTimeOffset now)
    {
        var seconds = Math.Max(1, (int)(binding.ExpiresAt - now).TotalSeconds);
        var instance = binding.Instance is null ? "" : $";+sip.instance={HeaderText.Quote(binding.Instance)}";
        var regId = binding.RegId is null ? "" : $";reg-id={binding.RegId}";
        return string.Create(CultureInfo.InvariantCulture, $"<{binding.Contact}>{instance}{regId};expires={seconds}");
    }

    private static string NameOf(Subscriber subscriber, string impu) =>
        subscriber.DisplayName.Length == 0 ? $"<{impu}>" : $"{HeaderText.Quote(subscriber.DisplayName)} <{impu}>";

    // §20.10: a value that is not a number is read as 3600.
    private static int Expires(SipRequest request, NameAddress contact)
    {
        if ((contact.Parameters["expires"] ?? request.Headers.First(HeaderName.Expires)) is not { } text) return DefaultExpires;
        return uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? (int)Math.Min(seconds, MaxExpires) : MaxExpires;
    }

    private static (SipResponse Response, Binding? Replaced) Refuse(
        SipRequest request, int statusCode, string reason, params ReadOnlySpan<(string Name, string Value)> fields)
    {
        var response = request.Answer(statusCode, reason, SipRequest.NewTag());
        foreach (var (name, value) in fields) response.Headers.Add(name, value);
        return (response, null);
    }

    private static string Sentence(CoreDecision decision) => decision switch
    {
        CoreDecision.UnknownSubscription => "there is no such subscription",
        CoreDecision.IdentityNotOfSubscription => "the identity belongs to another subscription",
        CoreDecision.WafNotAllowed => "this WAF may not vouch for the subscription",
        _ => "this WWSF may not vouch for the subscription",
    };

    private sealed record Authorized(
        RegistrationToken Token, Subscriber Subscriber, List<string> Impus, Func<FlowRegistration, bool> TryBind);

    [LoggerMessage(1, LogLevel.Warning, "The core refused a registration: {Decision}")]
    private partial void LogRefused(CoreDecision decision);

    private sealed record LeaseHolder(string SessionId, long IssuedAt);
}
