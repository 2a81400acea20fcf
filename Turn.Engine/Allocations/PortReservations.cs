using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>
/// Relays that were bound beside another and wait for the Allocate that brings their token: RTCP next to RTP (RFC 8656
/// §7.2, §18.10). Shared by all engines of a server, for that Allocate comes from another port and may reach another one.
/// </summary>
public sealed class PortReservations(Func<ulong>? newToken = null)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, Reservation> _reserved = [];
    private readonly Dictionary<InternetAddress, int> _perClient = [];
    private readonly Func<ulong> _newToken = newToken ?? RandomToken;

    /// <summary>Reserved relays, with the expired ones that no sweep has removed yet.</summary>
    public int Count
    {
        get
        {
            lock (_gate) return _reserved.Count;
        }
    }

    /// <summary>The reserved relays of a client address, or of the network of an IPv6 address.</summary>
    public int CountOf(InternetAddress client)
    {
        lock (_gate) return _perClient.GetValueOrDefault(ClientNetwork.Of(client));
    }

    /// <summary>Keeps a relay until a time in milliseconds and returns the RESERVATION-TOKEN.</summary>
    public ulong Add(Relay relay, InternetAddress client, long expiresAt)
    {
        client = ClientNetwork.Of(client);
        lock (_gate)
        {
            ulong token;
            do token = _newToken();
            while (token == 0 || !_reserved.TryAdd(token, new Reservation(relay, client, expiresAt)));
            CollectionsMarshal.GetValueRefOrAddDefault(_perClient, client, out _)++;
            return token;
        }
    }

    /// <summary>Returns the reserved relay, or null if the token is unknown, used or expired. A token serves once.</summary>
    public Relay? TryAcquire(ulong token, long now)
    {
        lock (_gate)
        {
            if (!_reserved.TryGetValue(token, out var reservation) || now >= reservation.ExpiresAt) return null;
            Remove(token, reservation);
            return reservation.Relay;
        }
    }

    /// <summary>Hands over for closing what has expired by now; all, when <paramref name="now"/> is the end of time.</summary>
    public void Sweep(long now, List<Relay> relaysToClose)
    {
        lock (_gate)
        {
            foreach (var (token, reservation) in _reserved)
            {
                if (now < reservation.ExpiresAt) continue;
                Remove(token, reservation);
                relaysToClose.Add(reservation.Relay);
            }
        }
    }

    private void Remove(ulong token, Reservation reservation)
    {
        _reserved.Remove(token);
        if (--CollectionsMarshal.GetValueRefOrAddDefault(_perClient, reservation.Client, out _) == 0)
            _perClient.Remove(reservation.Client);
    }

    // A guessed token takes the port away, so tokens come from the system's generator.
    private static ulong RandomToken() => BinaryPrimitives.ReadUInt64BigEndian(RandomNumberGenerator.GetBytes(8));

    private sealed record Reservation(Relay Relay, InternetAddress Client, long ExpiresAt);
}
