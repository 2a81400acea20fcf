using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;

namespace WebRtcIms.EpCscf.Server;

/// <summary>Ends what depends on a lost binding: its connection and its requests, here and at other replicas.</summary>
internal sealed partial class LostBindings(
    Registrar registrar, Flows flows, ProxiedRequests requests, Replicas replicas, HandOvers handOvers, TimeProvider time,
    CallLog log, ILogger<LostBindings> logger)
{
    /// <summary>The connection of a binding has ended. The binding follows, unless the page comes back within the grace time.</summary>
    public void OnDisconnected(Binding binding) => _ = RemoveLaterAsync(binding);

    /// <summary>A binding was lost at this replica.</summary>
    public async Task HandleAsync(Binding binding, BindingLoss loss)
    {
        log.RegistrationEnded(binding, loss);
        switch (loss)
        {
            case BindingLoss.Replaced:
                // A former replica that is alive forwards what it has for the binding.
                if (await SendToOwnerAsync(binding, new(HandOverKind.Replaced, binding.Id, Encoding.ASCII.GetBytes(binding.FlowId)))) break;
                requests.OnReconnected(binding.Id);
                if (binding.Replica != replicas.Self) handOvers.SendToOthers(new(HandOverKind.Reconnected, binding.Id));
                break;
            case BindingLoss.Removed:
                if (!Unbind(binding.Id)) await SendToOwnerAsync(binding, new(HandOverKind.Removed, binding.Id));
                break;
            case BindingLoss.Disconnected:
                requests.OnBindingLost(binding.Id);
                handOvers.SendToOthers(new(HandOverKind.Lost, binding.Id));
                break;
            case BindingLoss.SignedOut:
                SignOut(binding.Id);
                handOvers.SendToOthers(new(HandOverKind.SignedOut, binding.Id));
                break;
        }
    }

    /// <summary>A binding was lost at another replica.</summary>
    public void Handle(HandOver handOver)
    {
        switch (handOver.Kind)
        {
            case HandOverKind.Replaced:
                if (flows.Find(handOver.Binding) is { } left && left.Id == Encoding.ASCII.GetString(handOver.Octets.Span))
                    left.Close(CloseCode.Replaced, "connected again");
                break;
            case HandOverKind.Removed:
                Unbind(handOver.Binding);
                break;
            case HandOverKind.Reconnected:
                requests.OnReconnected(handOver.Binding);
                break;
            case HandOverKind.Lost:
                requests.OnBindingLost(handOver.Binding);
                break;
            case HandOverKind.SignedOut:
                SignOut(handOver.Binding);
                break;
        }
    }

    /// <summary>False if the binding was connected here, or to a replica that has ended.</summary>
    private async Task<bool> SendToOwnerAsync(Binding binding, HandOver handOver) =>
        binding.Replica != replicas.Self && await handOvers.SendAsync(binding.Replica, handOver);

    private bool Unbind(BindingId binding)
    {
        if (flows.Find(binding) is not { } flow) return false;
        flows.Unbind(flow);
        return true;
    }

    private void SignOut(BindingId binding)
    {
        flows.Find(binding)?.Close(CloseCode.SignedOut, "signed out");
        requests.OnBindingLost(binding);
    }

    private async Task RemoveLaterAsync(Binding binding)
    {
        try
        {
            await Task.Delay(ConnectionLifetimes.Grace, time);
            if (flows.Find(binding.Id) is null) await registrar.RemoveLostAsync(binding);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogFailure(error);
        }
    }

    [LoggerMessage(1, LogLevel.Error, "The binding of a lost connection could not be removed; it expires by itself")]
    private partial void LogFailure(Exception error);
}
