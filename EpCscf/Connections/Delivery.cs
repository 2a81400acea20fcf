using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Transactions;

namespace WebRtcIms.EpCscf.Connections;

/// <summary>
/// Delivers a message to a binding wherever it is connected: here, or at another replica. A page that has lost its connection may come
/// back to any replica within the grace time. Its messages wait until then.
/// </summary>
internal sealed class Delivery(Flows flows, IBindingStore store, Replicas replicas, HandOvers handOvers, TimeProvider time)
{
    private const int MaxWaiting = 10_000;

    // The requests that end a call, and have no body.
    private const int MaxEndLength = 2048;

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    private int _waiting;

    /// <summary>The other replica that the binding is connected to; null if it is connected here, or not connected.</summary>
    public async ValueTask<string?> LocateAsync(BindingId id)
    {
        if (flows.Find(id) is not null) return null;
        return await store.LocateAsync(id) is { } replica && replica != replicas.Self ? replica : null;
    }

    /// <summary>Sends without waiting, in the order of the calls as long as the connection stays.</summary>
    /// <param name="id">The target.</param>
    /// <param name="replica">The target's replica, from <see cref="LocateAsync"/>.</param>
    /// <param name="octets">The message.</param>
    /// <param name="transaction">Is notified if the message cannot be delivered. Its message is not sent any more once it is over.</param>
    /// <returns>False if the target is connected here and reads too slowly. The message is not sent.</returns>
    public bool Send(BindingId id, string? replica, ReadOnlyMemory<byte> octets, ClientTransaction? transaction = null)
    {
        var flow = flows.Find(id);
        if (flow is { IsCongested: true } && MayBeRefused(octets.Span)) return false;
        if (flow?.Send(octets) != true) _ = SendOrNotifyAsync();
        return true;

        async Task SendOrNotifyAsync()
        {
            if (!await SendAsync(id, replica, octets, HandOverKind.Message, transaction)) transaction?.OnUndelivered();
        }
    }

    /// <summary>Sends a message of another replica for a binding that is, or was, connected here.</summary>
    public void SendFor(string sender, BindingId id, ReadOnlyMemory<byte> octets)
    {
        var flow = flows.Find(id);
        if (flow is { IsCongested: true } && MayBeRefused(octets.Span)) _ = NotifyAsync();
        else if (flow?.Send(octets) != true) _ = SendOrNotifyAsync();

        async Task SendOrNotifyAsync()
        {
            if (!await SendAsync(id, replica: null, octets, HandOverKind.ForwardedMessage, transaction: null)) await NotifyAsync();
        }

        Task NotifyAsync() => handOvers.SendAsync(sender, new(HandOverKind.Undelivered, id, octets));
    }

    // A request of another client, or one of its provisional responses.
    private static bool MayBeRefused(ReadOnlySpan<byte> message) => message.StartsWith("SIP/2.0 "u8)
        ? message.StartsWith("SIP/2.0 1"u8)
        : message.Length > MaxEndLength
            || !(message.StartsWith("BYE "u8) || message.StartsWith("CANCEL "u8) || message.StartsWith("ACK "u8));

    private async Task<bool> SendAsync(
        BindingId id, string? replica, ReadOnlyMemory<byte> octets, HandOverKind kind, ClientTransaction? transaction)
    {
        if (replica is not null && await handOvers.SendAsync(replica, new(kind, id, octets))) return true;
        if (Interlocked.Increment(ref _waiting) > MaxWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            return false;
        }

        try
        {
            transaction?.Wait();
            // Four polls a second would fill the trace of the request.
            Activity.Current = null;
            var start = time.GetTimestamp();
            while (time.GetElapsedTime(start) < ConnectionLifetimes.Grace)
            {
                await Task.Delay(PollInterval, time);
                var flow = flows.Find(id);
                replica = flow is null ? await LocateAsync(id) : null;
                if (flow is null && replica is null) continue;
                if (transaction?.TryResume() == false) return true;
                if (flow is not null ? flow.Send(octets) : await handOvers.SendAsync(replica!, new(kind, id, octets))) return true;
                transaction?.Wait();
            }
            return false;
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }
}
