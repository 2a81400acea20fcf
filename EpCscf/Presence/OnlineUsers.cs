using System.Runtime.InteropServices;
using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.Presence;

/// <summary>A subscriber that can be called now.</summary>
internal sealed record OnlineUser(string Impu, string DisplayName);

/// <summary>The subscribers that are online, by the names of their subscriptions, in the order of their display names.</summary>
internal sealed record OnlineList(List<(string Name, OnlineUser User)> Users);

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
    private volatile OnlineList _last = new([]);
    private Task<OnlineList>? _answer;
    private long _asked;

    public OnlineUsers(CoreModel core, BindingNames names, IBindingStore store, TimeProvider time)
    {
        (_store, _time) = (store, time);
        _all = core.Subscribers.ToDictionary(subscriber => names.Subscriber(subscriber.Impi), Describe);
    }

    /// <summary>A list that changed is another object.</summary>
    public Task<OnlineList> ListAsync()
    {
        lock (_gate)
        {
            // A question that takes longer is not asked twice at a time, and a failure is not shared later.
            if (_answer is null || (_answer.IsCompleted && (!_answer.IsCompletedSuccessfully || _time.GetElapsedTime(_asked) >= Lifetime)))
                (_answer, _asked) = (AskAsync(), _time.GetTimestamp());
            return _answer;
        }
    }

    /// <summary>The same, not older than this call.</summary>
    public Task<OnlineList> RefreshAsync()
    {
        lock (_gate)
        {
            (_answer, _asked) = (AskAsync(), _time.GetTimestamp());
            return _answer;
        }
    }

    private async Task<OnlineList> AskAsync()
    {
        // The gate is free before the first question.
        await Task.Yield();
        var online = await _store.OnlineAsync(_all.Keys);
        List<(string, OnlineUser User)> users =
            [.. online.Select(name => (name, _all[name])).OrderBy(entry => entry.Item2.DisplayName, StringComparer.OrdinalIgnoreCase)];
        var last = _last;
        return CollectionsMarshal.AsSpan(last.Users).SequenceEqual(CollectionsMarshal.AsSpan(users)) ? last : _last = new(users);
    }

    private static OnlineUser Describe(Subscriber subscriber) =>
        new(subscriber.Impus[0], subscriber.DisplayName.Length > 0 ? subscriber.DisplayName : subscriber.Impus[0]);
}
