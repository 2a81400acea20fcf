using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>What the clients of the world send. They know how to sign; what else is in a request is the fuzzer's choice.</summary>
internal sealed partial class EngineWorld
{
    private const int MaxPacket = 2500;

    // The highest bits of a request's options; the rest is each request's own.
    private const byte StaleNonce = 0x80;
    private const byte WithoutTransport = 0x40;
    private const byte MoreBehindIntegrity = 0x20;
    private const byte WithFingerprint = 0x10;

    /// <summary>Octets as they are.</summary>
    public void Raw(byte flow, ReadOnlySpan<byte> packet) => Receive(packet, FlowOf(flow));

    /// <summary>The packet before, once more, also from another client.</summary>
    public void Again(byte flow) => Receive(_last, FlowOf(flow));

    /// <summary>A plain Allocate that succeeds if it may.</summary>
    public void Allocate(byte flow, byte credential) => Send(flow, StunMethod.Allocate, credential, []);

    /// <summary>An Allocate for what this is about: TCP connections, mobility, IPv6.</summary>
    public void Allocate(byte flow, byte credential, byte kind)
    {
        var isTcp = (kind & 1) != 0;
        List<(StunAttributeType, byte[])> attributes = [];
        if (isTcp) attributes.Add((StunAttributeType.RequestedTransport, [6, 0, 0, 0]));
        if ((kind & 2) != 0) attributes.Add((StunAttributeType.MobilityTicket, []));
        if ((kind & 4) != 0) attributes.Add((StunAttributeType.RequestedAddressFamily, [2, 0, 0, 0]));
        Send(flow, StunMethod.Allocate, credential, attributes, (byte)((kind & 0xB0) | (isTcp ? WithoutTransport : 0)));
    }

    /// <summary>A request with any attributes and right credentials; bits of its method choose what follows them.</summary>
    public void Signed(byte flow, byte method, ref Script script)
    {
        var credential = script.Byte();
        var attributes = ReadAttributes(ref script);
        Send(flow, MethodOf(method), credential, attributes, method);
    }

    /// <summary>A Refresh with one of the tickets that were given out (RFC 8016 §3.2.1).</summary>
    public void Move(byte flow, byte credential, byte ticket, byte options)
    {
        List<(StunAttributeType, byte[])> attributes = [(StunAttributeType.MobilityTicket, [ticket])];
        if ((options & 1) != 0) attributes.Add((StunAttributeType.Lifetime, [0, 0, 0, 0]));
        if ((options & 2) != 0) attributes.Add((StunAttributeType.RequestedAddressFamily, [1, 0, 0, 0]));
        Send(flow, StunMethod.Refresh, credential, attributes, options);
    }

    public void Connect(byte flow, byte credential, byte peer) =>
        Send(flow, StunMethod.Connect, credential, [(StunAttributeType.XorPeerAddress, [peer])]);

    /// <summary>A ConnectionBind, also with the nonce of the control connection.</summary>
    public void Bind(byte flow, byte credential, byte connection, byte options)
    {
        var nonceOf = FlowOf(flow);
        if ((options & 1) != 0 && _offers.Count > 0) nonceOf = _offers[connection % _offers.Count].Connection.Allocation.FiveTuple;
        Receive(Sign(nonceOf, StunMethod.ConnectionBind, credential, [(StunAttributeType.ConnectionId, [connection])], options),
            FlowOf(flow));
    }

    public void Indication(byte flow, ref Script script)
    {
        var attributes = ReadAttributes(ref script);
        var writer = new StunMessageWriter(_packet, StunMethod.Send, StunClass.Indication, new TransactionId(new byte[12]));
        WriteAttributes(ref writer, attributes);
        Receive(writer.Written, FlowOf(flow));
    }

    public void ChannelData(byte flow, ushort channel, ushort length, byte sent)
    {
        var packet = new byte[Stun.Framing.ChannelData.HeaderLength + sent];
        Stun.Framing.ChannelData.WriteHeader(packet, channel, length);
        Receive(packet, FlowOf(flow));
    }

    private void Send(
        byte flow, StunMethod method, byte credential, List<(StunAttributeType Type, byte[] Value)> attributes, byte options = 0) =>
        Receive(Sign(FlowOf(flow), method, credential, attributes, options), FlowOf(flow));

    private static readonly byte[] Realm = Encoding.ASCII.GetBytes(EngineCredentials.Realm);

    private readonly byte[] _nonce = new byte[NonceIssuer.Length];

    private ReadOnlySpan<byte> Sign(
        in FiveTuple nonceOf, StunMethod method, byte credentialIndex, List<(StunAttributeType Type, byte[] Value)> attributes,
        byte options)
    {
        var credential = EngineCredentials.All[credentialIndex % EngineCredentials.All.Count];
        _nonces.Issue(nonceOf, (options & StaleNonce) != 0 ? _time with { Utc = _time.Utc.AddHours(-2) } : _time, _nonce);
        var transaction = new byte[TransactionId.Length];
        _random.NextBytes(transaction);

        var writer = new StunMessageWriter(_packet, method, StunClass.Request, new TransactionId(transaction));
        if (method == StunMethod.Allocate && (options & WithoutTransport) == 0)
            StunRequest.UdpTransport(ref writer);
        WriteAttributes(ref writer, attributes);
        credential.Sign(ref writer, method, new StunChallenge(Realm, _nonce));
        if ((options & MoreBehindIntegrity) != 0) WriteAttributes(ref writer, attributes);
        if ((options & WithFingerprint) != 0) writer.AddFingerprint();
        return writer.Written;
    }

    private static StunMethod MethodOf(byte choice) => (choice & 0x0F) switch
    {
        < 4 => StunMethod.Allocate,
        < 7 => StunMethod.Refresh,
        < 10 => StunMethod.CreatePermission,
        < 14 => StunMethod.ChannelBind,
        14 => StunMethod.Binding,
        _ => (StunMethod)0x0FF,
    };

    /// <summary>Up to 15 attributes: a type, and what stands for something of this world, or any value.</summary>
    private static List<(StunAttributeType Type, byte[] Value)> ReadAttributes(ref Script script)
    {
        List<(StunAttributeType, byte[])> attributes = [];
        for (var count = script.Byte() & 0x0F; count > 0; count--)
            attributes.Add(((StunAttributeType)script.UInt16(), script.Read(script.Byte()).ToArray()));
        return attributes;
    }

    /// <summary>
    /// Of a peer's address, a ticket and a connection's number, one octet is the index of a real one; two of a nonce are a change to this
    /// request's own, which counts, for it comes before that.
    /// </summary>
    private void WriteAttributes(ref StunMessageWriter writer, List<(StunAttributeType Type, byte[] Value)> attributes)
    {
        foreach (var (type, value) in attributes)
        {
            if (writer.Length > MaxPacket) return;
            switch (type)
            {
                case StunAttributeType.XorPeerAddress when value.Length == 1:
                    writer.WriteXorAddress(type, Peers[value[0] % Peers.Length]);
                    break;
                case StunAttributeType.MobilityTicket when value.Length == 1 && _tickets.Count > 0:
                    writer.Write(type, _tickets[value[0] % _tickets.Count].Ticket);
                    break;
                case StunAttributeType.Nonce when value.Length == 2:
                    var changed = _nonce.ToArray();
                    changed[value[0] % changed.Length] = value[1];
                    writer.Write(type, changed);
                    break;
                case StunAttributeType.ConnectionId when value.Length == 1 && _offers.Count > 0:
                    writer.WriteUInt32(type, _offers[value[0] % _offers.Count].Id);
                    break;
                default:
                    writer.Write(type, value);
                    break;
            }
        }
    }
}
