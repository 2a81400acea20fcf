using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.Server;

/// <summary>A subscriber that can be called now.</summary>
internal sealed record OnlineUser(string Impu, string DisplayName);

/// <summary>
/// The subscribers that are online. All callers share one answer for a short time, because it takes a question to Redis about every
/// subscriber.
/// </summary>
internal sealed class OnlineUsers
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(2);

    private readonly IBindingStore _store;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, OnlineUser> _all;
    private readonly Lock _gate = new();
    private Task<IReadOnlyList<(string Name, OnlineUser User)>>? _answer;
    private long _asked;

    public OnlineUsers(CoreModel core, BindingNames names, IBindingStore store, TimeProvider time)
    {
        (_store, _time) = (store, time);
        _all = core.Subscribers.ToDictionary(subscriber => names.Subscriber(subscriber.Impi), Describe);
    }

    /// <summary>The users by the names of their subscriptions, in the order of their display names.</summary>
    public Task<IReadOnlyList<(string Name, OnlineUser User)>> ListAsync()
    {
        lock (_gate)
        {
            // A question that takes longer is not asked twice at a time, and a failure is not shared later.
            if (_answer is null || (_answer.IsCompleted && (!_answer.IsCompletedSuccessfully || _time.GetElapsedTime(_asked) >= Lifetime)))
                (_answer, _asked) = (AskAsync(), _time.GetTimestamp());
            return _answer;
        }
    }

    private async Task<IReadOnlyList<(string Name, OnlineUser User)>> AskAsync()
    {
        // The gate is free before the first question.
        await Task.Yield();
        var online = await _store.OnlineAsync(_all.Keys);
        return [.. online.Select(name => (name, _all[name])).OrderBy(entry => entry.Item2.DisplayName, StringComparer.OrdinalIgnoreCase)];
    }

    private static OnlineUser Describe(Subscriber subscriber) =>
        new(subscriber.Impus[0], subscriber.DisplayName.Length > 0 ? subscriber.DisplayName : subscriber.Impus[0]);
}
