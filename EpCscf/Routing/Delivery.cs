using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Replicas;
using WebRtcIms.EpCscf.Transactions;
using WebRtcIms.EpCscf.WebSockets;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>
/// Brings a message to a binding wherever it is connected: here, or at another replica. A page that has lost its connection has some
/// seconds to come back, to whichever replica; what is for it waits so long.
/// </summary>
internal sealed class Delivery(Flows flows, IBindingStore store, IReplicas replicas, TimeProvider time)
{
    private const int MaxWaiting = 10_000;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    private int _waiting;

    /// <summary>The other replica that the binding is connected to; null when it is here, or not connected.</summary>
    public async ValueTask<string?> LocateAsync(BindingId id)
    {
        if (flows.Find(id) is not null) return null;
        return await store.LocateAsync(id) is { } replica && replica != replicas.Self ? replica : null;
    }

    /// <summary>Sends, in the order of the calls while the connection stays, and never waits.</summary>
    /// <param name="id">To whom.</param>
    /// <param name="replica">Where that is, from <see cref="LocateAsync"/>.</param>
    /// <param name="octets">The message.</param>
    /// <param name="transaction">Is told when there is no way; what it sends is not sent any more when it is over.</param>
    public void Send(BindingId id, string? replica, ReadOnlyMemory<byte> octets, ClientTransaction? transaction = null)
    {
        if (flows.Find(id)?.Send(octets) != true) _ = SendOrTellAsync();

        async Task SendOrTellAsync()
        {
            if (!await SendAsync(id, replica, octets, HandOverKind.Message, transaction)) transaction?.Undelivered();
        }
    }

    /// <summary>Sends what another replica has for a binding that is, or was, connected here.</summary>
    public void SendFor(string sender, BindingId id, ReadOnlyMemory<byte> octets)
    {
        if (flows.Find(id)?.Send(octets) != true) _ = SendOrTellAsync();

        async Task SendOrTellAsync()
        {
            if (!await SendAsync(id, replica: null, octets, HandOverKind.ForwardedMessage, transaction: null))
                await replicas.SendAsync(sender, new(HandOverKind.Undelivered, id, octets));
        }
    }

    private async Task<bool> SendAsync(BindingId id, string? replica, ReadOnlyMemory<byte> octets, HandOverKind kind, ClientTransaction? transaction)
    {
        if (replica is not null && await replicas.SendAsync(replica, new(kind, id, octets))) return true;
        if (Interlocked.Increment(ref _waiting) > MaxWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            return false;
        }

        try
        {
            transaction?.Wait();
            var start = time.GetTimestamp();
            while (time.GetElapsedTime(start) < Registrar.Grace)
            {
                await Task.Delay(Poll, time);
                var flow = flows.Find(id);
                replica = flow is null ? await LocateAsync(id) : null;
                if (flow is null && replica is null) continue;
                if (transaction?.TryGoOn() == false) return true;
                if (flow is not null ? flow.Send(octets) : await replicas.SendAsync(replica!, new(kind, id, octets))) return true;
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
