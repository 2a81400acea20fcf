namespace WebRtcIms.EpCscf.Registration;

/// <summary>Bindings of this process, for a single replica.</summary>
internal sealed class InMemoryBindingStore(TimeProvider time) : IBindingStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, List<Binding>> _bindings = [];

    public ValueTask<IReadOnlyList<Binding>> FindAsync(string subscriber)
    {
        lock (_gate) return ValueTask.FromResult<IReadOnlyList<Binding>>([.. Live(subscriber)]);
    }

    // Nothing is lost before the process ends.
    public ValueTask<bool> RestoreAsync(Binding binding) => ValueTask.FromResult(true);

    public async ValueTask<string?> LocateAsync(BindingId id) =>
        (await FindAsync(id.Subscriber)).FirstOrDefault(binding => binding.Id == id)?.Replica;

    public ValueTask<Binding?> SaveAsync(Binding binding)
    {
        lock (_gate)
        {
            var live = Live(binding.Id.Subscriber);
            var replaced = live.Find(other => other.Id == binding.Id);
            live.RemoveAll(other => other.Id == binding.Id);
            live.Add(binding);
            _bindings[binding.Id.Subscriber] = live;
            return ValueTask.FromResult(replaced);
        }
    }

    public ValueTask<bool> RemoveAsync(Binding binding)
    {
        lock (_gate)
        {
            var live = Live(binding.Id.Subscriber);
            var removed = live.RemoveAll(other => other.Id == binding.Id && other.FlowId == binding.FlowId) > 0;
            if (live.Count == 0) _bindings.Remove(binding.Id.Subscriber);
            return ValueTask.FromResult(removed);
        }
    }

    public ValueTask<IReadOnlySet<string>> OnlineAsync(IReadOnlyCollection<string> subscribers)
    {
        lock (_gate)
            return ValueTask.FromResult<IReadOnlySet<string>>(subscribers.Where(subscriber => Live(subscriber).Count > 0).ToHashSet());
    }

    public ValueTask<IReadOnlyList<Binding>> FindSessionAsync(string sessionId)
    {
        lock (_gate)
            return ValueTask.FromResult<IReadOnlyList<Binding>>(
                [.. _bindings.Keys.ToList().SelectMany(Live).Where(binding => binding.SessionId == sessionId)]);
    }

    private List<Binding> Live(string subscriber)
    {
        if (!_bindings.TryGetValue(subscriber, out var bindings)) return [];
        var now = time.GetUtcNow();
        bindings.RemoveAll(binding => binding.ExpiresAt <= now);
        return bindings;
    }
}
