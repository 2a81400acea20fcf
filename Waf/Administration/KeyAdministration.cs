using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using WebRtcIms.Waf.Rings;

namespace WebRtcIms.Waf.Administration;

/// <summary>A long-term key as operators see it, without the key itself.</summary>
/// <param name="Kid">Its name.</param>
/// <param name="State"><c>next</c>, <c>current</c> or <c>retired</c>.</param>
/// <param name="CurrentAt">When it becomes current; null for a key of the settings.</param>
/// <param name="RetiresAt">When the key after it becomes current.</param>
/// <param name="ExpiresAt">When its last token expires, as far as this is known now.</param>
internal sealed record KeyView(
    string Kid, string State, DateTimeOffset? CurrentAt, DateTimeOffset? RetiresAt, DateTimeOffset ExpiresAt);

/// <param name="Server">The name of the TURN server, or the home domain for registration tokens.</param>
/// <param name="Rotates">Whether this server rotates its keys; false for a key of the settings.</param>
/// <param name="Keys">Its keys, the oldest first.</param>
internal sealed record KeyRingView(string Server, bool Rotates, IReadOnlyList<KeyView> Keys)
{
    public static KeyRingView Of(KeyRing ring, DateTimeOffset now) => new(ring.Settings.Name, ring.Rotates,
    [
        .. ring.GetAlive(now).Select(key => new KeyView(
            key.Kid, key.StateAt(now).ToString().ToLowerInvariant(), ring.Rotates ? key.CurrentAt : null, key.RetiresAt,
            ring.GetExpiry(key, now))),
    ]);
}

/// <param name="Server">The name of a TURN server; by default all whose keys rotate.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record RotationRequest(string? Server = null);

/// <param name="Server">The name of the TURN server, or the home domain for registration tokens.</param>
/// <param name="Kid">The key that becomes current.</param>
internal sealed record RotationView(string Server, string Kid);

/// <summary><c>/admin/keys</c>.</summary>
internal static class KeyAdministration
{
    public static void MapKeyRings(this IEndpointRouteBuilder admin)
    {
        admin.MapGet("/keys", List).WithSummary("Lists the long-term keys of each TURN server.");
        admin.MapPost("/keys/rotations", RotateAsync)
            .WithSummary("Makes the next key current, once TURN servers have had time to fetch it. "
                + "The old key stays until its last token is dead.");
    }

    private static Ok<List<KeyRingView>> List(KeyRings rings, TimeProvider time)
    {
        var now = time.GetUtcNow();
        return TypedResults.Ok(rings.All.Select(ring => KeyRingView.Of(ring, now)).ToList());
    }

    private static async Task<Results<Ok<List<RotationView>>, ProblemHttpResult>> RotateAsync(
        RotationRequest request, HttpContext context, KeyRings rings, KeyRotation rotation, CancellationToken cancellationToken)
    {
        var chosen = rings.All.Where(ring => request.Server is null ? ring.Rotates : ring.Settings.Name == request.Server).ToList();
        if (chosen.Count == 0 && request.Server is not null) return AdminProblem.NotFound($"There is no TURN server {request.Server}.");
        if (chosen.Count == 0 || !chosen[0].Rotates)
            return AdminProblem.Conflict(
                "The key is in the settings (Waf:TurnServers:0:Key, Waf:ImsRegistration:Key), so this server does not rotate it.");
        List<RotationView> rotated = [];
        foreach (var ring in chosen)
        {
            if (await rotation.RotateAsync(ring.Settings.Name, Operator.Of(context).Name, cancellationToken) is { } kid)
                rotated.Add(new RotationView(ring.Settings.Name, kid));
        }

        return TypedResults.Ok(rotated);
    }
}
