using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Transactions;

/// <summary>
/// Finds the transaction that a message belongs to (RFC 3261 §17.1.3, §17.2.3). The sender is part of the key, so a guessed or overheard
/// branch matches nothing.
/// </summary>
internal sealed class TransactionTable
{
    private readonly ConcurrentDictionary<ServerKey, ServerTransaction> _servers = new();
    private readonly ConcurrentDictionary<ClientKey, ClientTransaction> _clients = new();

    private readonly ConcurrentDictionary<string, int> _ofSubscribers = new();

    public int Count => _servers.Count + _clients.Count;

    /// <summary>The requests of a subscriber, over all its connections.</summary>
    public int CountOf(string subscriber) => _ofSubscribers.GetValueOrDefault(subscriber);

    /// <param name="sender">The sender's binding, or its connection before it has registered.</param>
    /// <param name="request">An ACK finds the INVITE that it ends.</param>
    public ServerTransaction? Find(string sender, SipRequest request) => _servers.GetValueOrDefault(KeyOf(sender, request));

    /// <summary>The INVITE that a CANCEL is about (§9.2).</summary>
    public ServerTransaction? FindCancelled(string sender, SipRequest cancel) =>
        _servers.GetValueOrDefault(KeyOf(sender, cancel) with { Method = Method.Invite });

    /// <summary>
    /// Null also if the response does not repeat what the request says about its dialogue (§8.2.6.2). A response that could not be read can
    /// only be a failure, so its branch is enough.
    /// </summary>
    public ClientTransaction? Find(string sender, SipResponse response)
    {
        if (response.TopVia.Branch is not { } branch) return null;
        if (response.Problem is null || response.CSeq.Method.Length > 0)
        {
            return _clients.GetValueOrDefault(new(sender, branch, response.CSeq.Method)) is { } client
                && (response.Problem is not null || Repeats(response, client.Request)) ? client : null;
        }

        // Its CSeq could not be read either. A CANCEL has the branch of its INVITE, and its response does not matter.
        return Method.Standard.Where(method => method != Method.Cancel)
            .Select(method => _clients.GetValueOrDefault(new(sender, branch, method))).FirstOrDefault(client => client is not null);
    }

    public ClientTransaction? FindSent(string remoteId, SipRequest request) =>
        request.TopVia.Branch is { } branch ? _clients.GetValueOrDefault(new(remoteId, branch, request.Method)) : null;

    /// <param name="sender">As for <see cref="Find(string, SipRequest)"/>.</param>
    /// <param name="subscriber">The subscriber that it counts for; null before the registration.</param>
    /// <param name="transaction">The transaction.</param>
    public void Add(string sender, string? subscriber, ServerTransaction transaction)
    {
        var key = KeyOf(sender, transaction.Request);
        transaction.Ended = () =>
        {
            _servers.TryRemove(new(key, transaction));
            ChangeCount(subscriber, -1);
        };
        ChangeCount(subscriber, 1);
        _servers[key] = transaction;
    }

    public void Add(ClientTransaction transaction)
    {
        var key = new ClientKey(transaction.RemoteId, transaction.Request.TopVia.Branch!, transaction.Request.Method);
        transaction.Ended = () => _clients.TryRemove(new(key, transaction));
        _clients[key] = transaction;
    }

    // Only subscribers with requests are kept.
    private void ChangeCount(string? subscriber, int difference)
    {
        if (subscriber is null) return;
        var count = _ofSubscribers.AddOrUpdate(subscriber, difference, (_, before) => before + difference);
        if (count == 0) _ofSubscribers.TryRemove(new(subscriber, 0));
    }

    private static bool Repeats(SipResponse response, SipRequest request) =>
        response.CallId == request.CallId && response.CSeq == request.CSeq && response.From.Tag == request.From.Tag
            && (request.To.Tag is null || response.To.Tag == request.To.Tag);

    // A client without a branch of RFC 3261 follows RFC 2543. No such client speaks WebSocket, so Call-ID and CSeq are enough.
    private static ServerKey KeyOf(string sender, SipRequest request)
    {
        var via = request.TopVia;
        var isUnique = via.Branch?.StartsWith(Via.MagicCookie, StringComparison.OrdinalIgnoreCase) == true
            && via.Branch.Length > Via.MagicCookie.Length;
        var branch = isUnique ? via.Branch! : $"{request.CallId} {request.CSeq.Number}";
        return new(sender, branch, via.SentBy, request.Method == Method.Ack ? Method.Invite : request.Method);
    }

    private readonly record struct ServerKey(string Sender, string Branch, string SentBy, string Method);

    private readonly record struct ClientKey(string Sender, string Branch, string Method);
}
