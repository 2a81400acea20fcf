using System.Text.Json;
using StackExchange.Redis;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// Bindings in Redis, for all replicas. <c>ims:binding:{subscriber}</c> is a hash from device to binding. <c>ims:session:{session}</c> is
/// the set of the bindings of a session at the WWSF. Keys hold keyed hashes and no names, and expire with their content. If Redis does not
/// answer, this process falls back to the bindings that it has saved itself.
/// </summary>
internal sealed class RedisBindingStore(BindingRedis redis, BindingNames names, Replicas replicas, TimeProvider time) : IBindingStore
{
    // Value and minimum lifetime in one step: a process that ends in between leaves no key without an expiry.
    private const string Extend = "if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end";
    private const string SetBinding =
        "local replaced = redis.call('HGET', KEYS[1], ARGV[2]) redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) " + Extend +
        " return replaced";
    private const string AddToSession = "redis.call('SADD', KEYS[1], ARGV[2]) " + Extend;

    private readonly InMemoryBindingStore _local = new(time);

    public async ValueTask<IReadOnlyList<Binding>> FindAsync(string subscriber) =>
        await redis.TryAsync("HGETALL", async database => await LiveAsync(await database.HashGetAllAsync(KeyOf(subscriber))))
        ?? await _local.FindAsync(subscriber);

    public async ValueTask<string?> LocateAsync(BindingId id) => await redis.TryAsync("HGET", async database =>
        Read(await database.HashGetAsync(KeyOf(id.Subscriber), id.Device)) is { } binding && await replicas.IsAliveAsync(binding.Replica)
            ? binding.Replica
            : null);

    public async ValueTask<Binding?> SaveAsync(Binding binding)
    {
        var local = await _local.SaveAsync(binding);
        var (isSaved, replaced) = await redis.TryAsync("HSET", async database => (true, await WriteAsync(database, binding)));
        return isSaved ? replaced : local;
    }

    public async ValueTask<bool> RestoreAsync(Binding binding) => await redis.TryAsync("HGET", async database =>
    {
        var stored = Read(await database.HashGetAsync(KeyOf(binding.Id.Subscriber), binding.Id.Device));
        if (stored is null || stored.ExpiresAt < binding.ExpiresAt) await WriteAsync(database, binding);
        return true;
    });

    public async ValueTask<bool> RemoveAsync(Binding binding)
    {
        var wasLocal = await _local.RemoveAsync(binding);
        return await redis.TryAsync<bool?>("HDEL", async database =>
        {
            var key = KeyOf(binding.Id.Subscriber);
            var stored = await database.HashGetAsync(key, binding.Id.Device);
            if (Read(stored)?.FlowId != binding.FlowId) return false;
            // The page may register again at this moment. The set of the session is another key, which a cluster may have on another node.
            // So it is not in the transaction, and keeps the name until it expires. Readers find no binding under that name.
            var transaction = database.CreateTransaction();
            transaction.AddCondition(Condition.HashEqual(key, binding.Id.Device, stored));
            _ = transaction.HashDeleteAsync(key, binding.Id.Device);
            return await transaction.ExecuteAsync();
        }) ?? wasLocal;
    }

    public async ValueTask<IReadOnlySet<string>> OnlineAsync(IReadOnlyCollection<string> subscribers) =>
        await redis.TryAsync("HGETALL", async database =>
        {
            var found = await Task.WhenAll(subscribers.Select(async subscriber =>
                (Subscriber: subscriber, Bindings: await LiveAsync(await database.HashGetAllAsync(KeyOf(subscriber))))));
            return found.Where(entry => entry.Bindings.Count > 0).Select(entry => entry.Subscriber).ToHashSet();
        }) ?? await _local.OnlineAsync(subscribers);

    public async ValueTask<IReadOnlyList<Binding>> FindSessionAsync(string sessionId) =>
        await redis.TryAsync("SMEMBERS", async database =>
        {
            var ids = (await database.SetMembersAsync(SessionKey(sessionId))).Select(id => BindingId.Parse(id.ToString()));
            var bindings = await Task.WhenAll(ids.Select(id => database.HashGetAsync(KeyOf(id.Subscriber), id.Device)));
            return (await LiveAsync(bindings)).Where(binding => binding.SessionId == sessionId).ToList() as IReadOnlyList<Binding>;
        }) ?? await _local.FindSessionAsync(sessionId);

    /// <returns>The binding that it replaces.</returns>
    private async Task<Binding?> WriteAsync(IDatabase database, Binding binding)
    {
        var lifetime = (long)(binding.ExpiresAt - time.GetUtcNow()).TotalMilliseconds;
        var connection = lifetime + (long)ConnectionLifetimes.AfterExpiry.TotalMilliseconds;
        // A connection may outlive its registration, and a session has only registrations.
        var added = lifetime > 0
            ? database.ScriptEvaluateAsync(AddToSession, [SessionKey(binding.SessionId)], [lifetime, binding.Id.ToString()])
            : Task.CompletedTask;
        var former = await database.ScriptEvaluateAsync(
            SetBinding, [KeyOf(binding.Id.Subscriber)], [connection, binding.Id.Device, JsonSerializer.Serialize(binding)]);
        await added;
        return Read((RedisValue)former);
    }

    private static RedisKey KeyOf(string subscriber) => $"ims:binding:{subscriber}";

    private RedisKey SessionKey(string sessionId) => $"ims:session:{names.Session(sessionId)}";

    private Task<IReadOnlyList<Binding>> LiveAsync(HashEntry[] entries) => LiveAsync(entries.Select(entry => entry.Value));

    /// <summary>Bindings that have not expired and are connected to a live replica.</summary>
    private async Task<IReadOnlyList<Binding>> LiveAsync(IEnumerable<RedisValue> stored)
    {
        List<Binding> live = [];
        foreach (var binding in stored.Select(Read).OfType<Binding>().Where(binding => binding.ExpiresAt > time.GetUtcNow()))
        {
            if (await replicas.IsAliveAsync(binding.Replica)) live.Add(binding);
        }
        return live;
    }

    // Ignores entries that cannot be parsed.
    private static Binding? Read(RedisValue value)
    {
        try
        {
            return value.IsNullOrEmpty ? null : JsonSerializer.Deserialize<Binding>(value.ToString());
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
