using System.Net;
using System.Net.Sockets;
using Org.BouncyCastle.Security;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A client that speaks DTLS to the running server, and whose datagrams can be seen and repeated.</summary>
internal sealed class DtlsClient : DatagramTransport, IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);

    private StunChallenge? _challenge;
    private DtlsTransport? _session;

    public DtlsClient(IPEndPoint server) => _socket.Connect(server);

    /// <summary>All that it has sent.</summary>
    public List<byte[]> Sent { get; } = [];

    /// <summary>The server has ended the session.</summary>
    public bool IsEnded { get; private set; }

    /// <summary>The certificate of the server at the last handshake.</summary>
    public byte[] Certificate { get; private set; } = [];

    public void Handshake(string protocol = "stun.turn") => _session = new DtlsClientProtocol().Connect(new Client(this, protocol), this);

    public void Send(byte[] message) => _session!.Send(message, 0, message.Length);

    /// <summary>The next message that arrives within a time; null if none does.</summary>
    public byte[]? TryReceive(int milliseconds = 10_000)
    {
        var buffer = new byte[2048];
        var length = _session!.Receive(buffer, 0, buffer.Length, milliseconds);
        return length < 0 ? null : buffer[..length];
    }

    public StunAnswer Allocate()
    {
        Send(StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport));
        _challenge = new StunAnswer(TryReceive()!).Challenge;
        return Request(StunMethod.Allocate, StunRequest.UdpTransport);
    }

    /// <summary>A request after the first Allocate.</summary>
    public StunAnswer Request(StunMethod method, WriteAttributes attributes)
    {
        Send(StunRequest.Authenticated(method, attributes, Alice.Credential, _challenge!));
        return new StunAnswer(TryReceive()!);
    }

    public void End() => _session!.Close();

    public int GetReceiveLimit() => 2048;

    public int GetSendLimit() => 1200;

    public int Receive(byte[] buf, int off, int len, int waitMillis) => Receive(buf.AsSpan(off, len), waitMillis);

    public int Receive(Span<byte> buffer, int waitMillis) =>
        _socket.Poll(TimeSpan.FromMilliseconds(Math.Max(waitMillis, 1)), SelectMode.SelectRead) ? _socket.Receive(buffer) : -1;

    public void Send(byte[] buf, int off, int len) => Send(buf.AsSpan(off, len));

    public void Send(ReadOnlySpan<byte> buffer)
    {
        Sent.Add(buffer.ToArray());
        _socket.Send(buffer);
    }

    // The same port serves for another handshake.
    public void Close() => IsEnded = true;

    public void Dispose() => _socket.Dispose();

    private sealed class Client(DtlsClient owner, string protocol) : DefaultTlsClient(new BcTlsCrypto(new SecureRandom()))
    {
        public override int GetHandshakeTimeoutMillis() => 10_000;

        public override TlsAuthentication GetAuthentication() => new AnyServer(owner);

        protected override ProtocolVersion[] GetSupportedVersions() => ProtocolVersion.DTLSv12.Only();

        protected override IList<ProtocolName> GetProtocolNames() => [ProtocolName.AsUtf8Encoding(protocol)];
    }

    private sealed class AnyServer(DtlsClient owner) : TlsAuthentication
    {
        public void NotifyServerCertificate(TlsServerCertificate serverCertificate) =>
            owner.Certificate = serverCertificate.Certificate.GetCertificateAt(0).GetEncoded();

        public TlsCredentials? GetClientCredentials(CertificateRequest certificateRequest) => null;
    }
}
