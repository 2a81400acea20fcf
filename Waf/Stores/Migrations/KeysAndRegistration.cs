using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

namespace WebRtcIms.Waf.Stores.Migrations;

/// <summary>Initial access tokens, the audit, and the rings of long-term keys.</summary>
[DbContext(typeof(WafDatabase))]
[Migration("20261128000001_KeysAndRegistration")]
internal sealed class KeysAndRegistration : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.CreateTable(
            name: "Audit",
            columns: table => new
            {
                Id = table.Column<long>(nullable: false)
                    .Annotation("Sqlite:Autoincrement", true)
                    .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                At = table.Column<long>(nullable: false),
                Actor = table.Column<string>(maxLength: 120, nullable: false),
                Action = table.Column<string>(maxLength: 60, nullable: false),
                Subject = table.Column<string>(maxLength: 200, nullable: false),
                Address = table.Column<string>(maxLength: 60, nullable: true)
            },
            constraints: table =>
            {
                table.PrimaryKey("PK_Audit", x => x.Id);
            });

        migrationBuilder.CreateTable(
            name: "InitialAccessTokens",
            columns: table => new
            {
                Hash = table.Column<string>(maxLength: 64, nullable: false),
                Name = table.Column<string>(maxLength: 100, nullable: false),
                UsesLeft = table.Column<int>(nullable: false),
                ExpiresAt = table.Column<long>(nullable: false),
                CreatedAt = table.Column<long>(nullable: false),
                Limits = table.Column<string>(nullable: false)
            },
            constraints: table =>
            {
                table.PrimaryKey("PK_InitialAccessTokens", x => x.Hash);
            });

        migrationBuilder.CreateTable(
            name: "Keys",
            columns: table => new
            {
                Ring = table.Column<string>(maxLength: 260, nullable: false),
                Number = table.Column<long>(nullable: false),
                Kid = table.Column<string>(maxLength: 128, nullable: false),
                Algorithm = table.Column<string>(maxLength: 20, nullable: false),
                ProtectedKey = table.Column<byte[]>(nullable: false),
                CreatedAt = table.Column<long>(nullable: false),
                CurrentAt = table.Column<long>(nullable: false),
                TokenLifetime = table.Column<long>(nullable: false),
                RevokedAt = table.Column<long>(nullable: true)
            },
            constraints: table =>
            {
                table.PrimaryKey("PK_Keys", x => new { x.Ring, x.Number });
            });

        migrationBuilder.CreateIndex(
            name: "IX_Audit_At",
            table: "Audit",
            column: "At");

        migrationBuilder.CreateIndex(
            name: "IX_Keys_Kid",
            table: "Keys",
            column: "Kid",
            unique: true);
    }
}
