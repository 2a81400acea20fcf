using System.Collections.Concurrent;
using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.WebSockets;

/// <summary>
/// The connections of this process. A binding is looked up here each time something is sent to it: a page that reconnects in a
/// call gets the rest of the call over its new connection.
/// </summary>
internal sealed class Flows(EpCscfTelemetry telemetry)
{
    private readonly ConcurrentDictionary<string, Flow> _all = new();
    private readonly ConcurrentDictionary<BindingId, Flow> _byBinding = new();

    public int Count => _all.Count;

    public void Add(Flow flow)
    {
        _all[flow.Id] = flow;
        telemetry.ConnectionsChanged(1);
    }

    public void Remove(Flow flow)
    {
        if (!_all.TryRemove(flow.Id, out _)) return;
        telemetry.ConnectionsChanged(-1);
        Unbind(flow);
    }

    /// <summary>The flow is now the way to its binding; the one that was before is closed.</summary>
    public void Bind(Flow flow, FlowRegistration registration)
    {
        if (flow.Registration is null) telemetry.RegisteredChanged(1);
        flow.Registration = registration;
        if (_byBinding.TryGetValue(registration.Binding.Id, out var before) && before != flow) before.Close(CloseCode.Replaced, "connected again");
        _byBinding[registration.Binding.Id] = flow;
    }

    /// <summary>The flow registers nobody any more.</summary>
    public void Unbind(Flow flow)
    {
        if (flow.Registration is not { } registration) return;
        flow.Registration = null;
        telemetry.RegisteredChanged(-1);
        _byBinding.TryRemove(new(registration.Binding.Id, flow));
    }

    public Flow? Find(BindingId binding) => _byBinding.GetValueOrDefault(binding);

    public void CloseAll()
    {
        foreach (var flow in _all.Values) flow.Close(CloseCode.GoingAway, "the server stops");
    }
}
