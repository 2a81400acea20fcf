using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Telemetry;

namespace WebRtcIms.EpCscf.Connections;

/// <summary>
/// The connections of this process. Each message looks its binding up here. So if a page reconnects during a call, the rest of the call
/// comes over its new connection.
/// </summary>
internal sealed class Flows(EpCscfTelemetry telemetry)
{
    private readonly ConcurrentDictionary<string, Flow> _all = new();
    private readonly ConcurrentDictionary<BindingId, Flow> _byBinding = new();
    private readonly Lock _gate = new();
    private volatile bool _isStopping;

    public int Count => _all.Count;

    /// <summary>What the connections of this process are registered for.</summary>
    public IEnumerable<FlowRegistration> Registrations => _all.Values.Select(flow => flow.Registration).OfType<FlowRegistration>();

    public void Add(Flow flow)
    {
        _all[flow.Id] = flow;
        telemetry.ConnectionsChanged(1);
        // The port closes a moment after the others were told.
        if (_isStopping) Close(flow);
    }

    public void Remove(Flow flow)
    {
        if (!_all.TryRemove(flow.Id, out _)) return;
        telemetry.ConnectionsChanged(-1);
        Unbind(flow);
    }

    /// <summary>
    /// The flow now leads to the binding. The binding's former flow is closed. False if the client's address has too many registered flows.
    /// </summary>
    public bool Bind(Flow flow, FlowRegistration registration)
    {
        // At once, because two connections of one page may register at the same time, and only one of them may stay.
        lock (_gate)
        {
            if (flow.Registration is { } former && former.Binding.Id != registration.Binding.Id) Unbind(flow);
            if (flow.Registration is null) telemetry.RegisteredChanged(1);
            flow.Registration = registration;
            if (_byBinding.TryGetValue(registration.Binding.Id, out var before) && before != flow)
            {
                before.Place?.Demote();
                before.Close(CloseCode.Replaced, "connected again");
            }

            _byBinding[registration.Binding.Id] = flow;
            return flow.Place?.TryAuthenticate() is not false;
        }
    }

    public void Unbind(Flow flow)
    {
        lock (_gate)
        {
            if (flow.Registration is not { } registration) return;
            flow.Registration = null;
            flow.Place?.Demote();
            telemetry.RegisteredChanged(-1);
            _byBinding.TryRemove(new(registration.Binding.Id, flow));
        }
    }

    public bool Has(Flow flow) => _all.ContainsKey(flow.Id);

    public Flow? Find(BindingId binding) => _byBinding.GetValueOrDefault(binding);

    /// <summary>The server stops. Connections that come later are closed also.</summary>
    public void CloseAll()
    {
        _isStopping = true;
        foreach (var flow in _all.Values) Close(flow);
    }

    private static void Close(Flow flow) => flow.Close(CloseCode.GoingAway, "the server stops");
}
