#!/usr/bin/perl
# What stands in for the agent in an image: `check`, `accept` and `verify-image` do as much as those leave; else it answers /readyz as its image's /behaviour says, and ends on SIGTERM as it does.
use strict;
use IO::Socket::INET;
$| = 1;
my $first = $ARGV[0] // '';
if ($first eq 'check') {
  open(my $settings, '<', $ARGV[1]) or die "no settings in $ARGV[1]: $!\n";
  die "device: expected a name\n" unless grep { /^device:/ } <$settings>;
  exit 0;
}
if ($first eq 'accept') {
  my $out = $ARGV[-1];
  mkdir $out;
  open(my $json, '>', "$out/accept.json") or die "$out: $!\n";
  print $json "{\"version\":1,\"ok\":true,\"words\":\"@ARGV\"}\n";
  open(my $html, '>', "$out/accept.html") or die "$out: $!\n";
  print $html "<!doctype html><title>played</title>\n";
  print "Nothing failed.\n";
  exit 0;
}
if ($first eq 'verify-image') {
  my $wish = join '', <STDIN>;
  if ($wish !~ /"signed":true/) { print STDERR "Its signature is not trusted\n"; exit 3 }
  my ($image, $released) = map { $wish =~ /"$_":"([^"]*)"/ ? $1 : '' } 'image', 'released';
  print "$released $image\n";
  exit 0;
}
$SIG{TERM} = sub { print "ended\n"; exit 0 };
open(my $file, '<', '/behaviour') or die;
chomp(my $behaviour = <$file>);
if ($behaviour eq 'dies') { print "no such camera driver\n"; exit 3 }
my $server;
for (1 .. 50) {
  $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ENV{ROADMASK_HTTP_PORT}, Listen => 5, ReuseAddr => 1);
  last if $server;
  select(undef, undef, undef, 0.1);
}
die 'no port' unless $server;
print "listening\n";
my $answers = 0;
while (1) {
  my $client = $server->accept or next;
  while (my $line = <$client>) { last if $line =~ /^\r?\n/ } # all of it: what is left unread resets the connection
  $answers++;
  my $well = $behaviour =~ /^good/ || ($behaviour eq 'fades' && $answers < 2);
  my ($status, $model) = $well ? ('200 OK', 'ready') : $behaviour eq 'blind' ? ('503 Not', 'ready') : ('503 Not', 'loading');
  my $ready = $well ? 'true' : 'false';
  print $client "HTTP/1.1 $status\r\nconnection: close\r\n\r\n{\"ready\":$ready,\"model\":\"$model\"}";
  close $client;
}
